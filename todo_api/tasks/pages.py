"""Pages of the list: the requested page, and the cursor of the next page."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from todo_api.tasks.schemas import Task
from todo_api.web.query import QueryParameter, read_query, refused, whole_number
from todo_api.web.schemas import FieldError

LIMIT_MAX = 1000
CURSOR = "[A-Za-z0-9_-]{36}"
_CURSOR = re.compile(CURSOR)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHECK_BYTES = 3  # with them a cursor has 27 bytes, for which base64 needs no padding


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
    return _write_cursor(datetime.fromisoformat(last.created_at), UUID(last.id))


def _write_cursor(moment: datetime, task_id: UUID) -> str:
    position = ((moment - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True) + task_id.bytes
    # Not a secret: a position reveals nothing, and the statement only finds the user's own tasks. The
    # checksum detects a cursor that was cut or changed on its way, which would silently skip tasks.
    check = hashlib.blake2s(position, digest_size=_CHECK_BYTES).digest()
    return base64.urlsafe_b64encode(position + check).decode()


def _read_cursor(text: str) -> Position:
    """The position that a cursor stands for. Raises ValueError for a text that is no cursor."""
    try:
        if not _CURSOR.fullmatch(text):
            raise ValueError
        found = base64.urlsafe_b64decode(text)
        moment = _EPOCH + _MICROSECOND * int.from_bytes(found[:8], "big", signed=True)
        task_id = UUID(bytes=found[8:24])
        if _write_cursor(moment, task_id) != text:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError("must be a next_cursor of this list") from None
    return Position(moment.isoformat(), str(task_id))


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
        {"type": "string", "pattern": f"^{CURSOR}$"},
        _read_cursor,
    ),
)
