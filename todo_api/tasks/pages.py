"""Pages of the list: the one that a request asks for, and the cursor of the next one."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from todo_api.tasks.schemas import Task
from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

LIMIT_MAX = 1000
CURSOR = "[A-Za-z0-9_-]{36}"
_CURSOR = re.compile(CURSOR)
_LIMIT = re.compile("[1-9][0-9]{0,3}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHECK_BYTES = 3  # with them a cursor has 27 bytes, which base64 needs no padding for


class Position(NamedTuple):
    """A position in the list: right behind the task with this time and id, whether it still exists or not."""

    created_at: str
    id: str


START = Position("infinity", str(UUID(int=0)))


class Page(NamedTuple):
    """What is asked for: up to `limit` tasks that follow a position."""

    limit: int
    after: Position


def requested_page() -> Page | None:
    """The page that the query asks for; None for the whole list. Raises Problem."""
    request = current_request()
    if not request.query_string:  # the usual case: werkzeug takes 8 µs to parse an empty one
        return None
    query = request.args
    if "limit" not in query and "cursor" not in query:
        return None
    limits, cursors = query.getlist("limit"), query.getlist("cursor")
    errors = [
        FieldError(field=name, message="must be given once")
        for name, values in (("limit", limits), ("cursor", cursors))
        if len(values) > 1
    ]
    if not limits:
        errors.append(FieldError(field="limit", message="is required with a cursor"))
    if len(limits) == 1 and not (_LIMIT.fullmatch(limits[0]) and int(limits[0]) <= LIMIT_MAX):
        message = f"must be a whole number from 1 to {LIMIT_MAX}"
        errors.append(FieldError(field="limit", message=message))
    after = START
    if len(cursors) == 1:
        try:
            after = _read_cursor(cursors[0])
        except ValueError as error:
            errors.append(FieldError(field="cursor", message=str(error)))
    if errors:
        raise Problem("validation-error", "The query is not what this call takes.", errors=errors)
    return Page(int(limits[0]), after)


def cursor(last: Task) -> str:
    """The cursor of the page that follows this task."""
    return _write_cursor(datetime.fromisoformat(last.created_at), UUID(last.id))


def _write_cursor(moment: datetime, task_id: UUID) -> str:
    position = ((moment - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True) + task_id.bytes
    # No secret: a position tells nothing, and the statement only finds the user's own tasks. The checksum
    # is against a cursor that was cut or changed on its way, which would skip tasks silently.
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
