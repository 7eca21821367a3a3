"""Answers with tasks in them."""

from http import HTTPStatus

from flask import Response
from msgspec import UNSET, UnsetType

from todo_api.tasks.schemas import ListMeta, Task, TaskAnswer
from todo_api.web import answers
from todo_api.web.request import current_request
from todo_api.web.unsent import Content


def one_task(
    task: Task, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A task."""
    return answers.json_answer(TaskAnswer(data=task, meta=answers.meta()), status, headers)


def task_list(
    content: Content,
    headers: dict[str, str],
    revision: int,
    *,
    next_cursor: str | UnsetType | None = UNSET,
) -> Response:
    """Tasks and their number, as TaskListAnswer; for a page also the cursor of the next page."""
    meta = ListMeta(
        timestamp=answers.timestamp(),
        request_id=current_request().id,
        count=content.count,
        revision=revision,
        next_cursor=next_cursor,
    )
    return answers.content_answer(content, meta, headers)


def path() -> str:
    """The request's path as its client sees it."""
    request = current_request()
    return f"{request.script_root}{request.path}"
