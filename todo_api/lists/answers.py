"""The answer that has a list of tasks in it."""

from flask import Response
from msgspec import UNSET, UnsetType

from todo_api.lists.schemas import ListMeta
from todo_api.web import answers
from todo_api.web.request import current_request
from todo_api.web.unsent import Content


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
