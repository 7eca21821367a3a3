"""Answers with tasks in them."""

from http import HTTPStatus

from flask import Response
from msgspec import UNSET, UnsetType

from todo_api.tasks.schemas import ListMeta, Task, TaskAnswer, TaskListAnswer
from todo_api.web import answers
from todo_api.web.request import current_request


def one_task(
    task: Task, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A task."""
    return answers.json_answer(TaskAnswer(data=task, meta=answers.meta()), status, headers)


def task_list(
    tasks: list[Task],
    headers: dict[str, str] | None = None,
    *,
    next_cursor: str | UnsetType | None = UNSET,
) -> Response:
    """Tasks and their number; of a page also the cursor of the next one."""
    meta = ListMeta(
        timestamp=answers.timestamp(),
        request_id=current_request().id,
        count=len(tasks),
        next_cursor=next_cursor,
    )
    return answers.json_answer(TaskListAnswer(data=tasks, meta=meta), headers=headers)
