"""Answers with tasks in them."""

from http import HTTPStatus

from flask import Response

from todo_api.tasks.schemas import Task, TaskAnswer
from todo_api.web import answers


def one_task(
    task: Task, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A task."""
    return answers.json_answer(TaskAnswer(data=task, meta=answers.meta()), status, headers)
