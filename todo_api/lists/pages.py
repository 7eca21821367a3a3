"""Pages of the list: the requested page, and the cursor of the next page."""

from typing import NamedTuple
from uuid import UUID

from todo_api.tasks.schemas import Task
from todo_api.web.query import (
    QueryParameter,
    cursor_pattern,
    read_cursor,
    read_query,
    refused,
    whole_number,
    write_cursor,
)
from todo_api.web.schemas import FieldError

LIMIT_MAX = 1000
_ID_BYTES = 16


class Position(NamedTuple):
    """A position in the list: right after the task with this time and id, even if it is deleted."""

    created_at: str
    id: str


START = Position("infinity", str(UUID(int=0)))


class Page(NamedTuple):
    """A requested page: up to `limit` tasks that follow a position."""

    limit: int
    after: Position


def requested_page() -> Page | None:
    """The page that the query asks for; None for the whole list. Raises Problem."""
    query = read_query(QUERY)
    if "cursor" in query and "limit" not in query:
        raise refused(FieldError(field="limit", message="is required with a cursor"))
    if "limit" not in query:
        return None
    return Page(query["limit"], query.get("cursor", START))


def cursor(last: Task) -> str:
    """The cursor of the page that follows this task."""
    return write_cursor(last.created_at, UUID(last.id).bytes)


def _read_cursor(text: str) -> Position:
    moment, task_id = read_cursor(text, _ID_BYTES)
    return Position(moment, str(UUID(bytes=task_id)))


# What the list takes.
QUERY = (
    whole_number(
        "limit",
        "Asks for a page of at most so many tasks. Without it the list comes whole.",
        minimum=1,
        maximum=LIMIT_MAX,
    ),
    QueryParameter(
        "cursor",
        "With a `limit`: the `next_cursor` of the page before. It leads on from there whatever was added or "
        "deleted since, with another `limit` too.",
        {"type": "string", "pattern": f"^{cursor_pattern(_ID_BYTES)}$"},
        _read_cursor,
    ),
)
