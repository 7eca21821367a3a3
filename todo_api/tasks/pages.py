"""Pages of the list: which one a request asks for, and the cursor that leads to the next."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from flask import request

from todo_api.web.problems import Problem
from todo_api.web.schemas import FieldError, Task

LIMIT_MAX = 1000
CURSOR = "[A-Za-z0-9_-]{36}"
_CURSOR = re.compile(CURSOR)
_LIMIT = re.compile("[1-9][0-9]{0,3}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHECK_BYTES = 3  # with them a cursor has 27 bytes, which base64 needs no padding for


class Place(NamedTuple):
    """A place in the list: right behind the task with this time and id, whether it is still there or not."""

    created_at: str
    id: str


START = Place("infinity", str(UUID(int=0)))


class Page(NamedTuple):
    """What is asked for: up to `limit` tasks that follow a place."""

    limit: int
    after: Place


def asked() -> Page | None:
    """The page that the query asks for; None for the whole list. Raises Problem."""
    if not request.query_string:  # mostly: werkzeug takes 8 µs to find nothing in it
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
            after = _place(cursors[0])
        except ValueError as error:
            errors.append(FieldError(field="cursor", message=str(error)))
    if errors:
        raise Problem("validation-error", "The query is not what this call takes.", errors=errors)
    return Page(int(limits[0]), after)


def cursor(last: Task) -> str:
    """What leads to the page that follows this task."""
    return _write(datetime.fromisoformat(last.created_at), UUID(last.id))


def _write(moment: datetime, task_id: UUID) -> str:
    place = ((moment - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True) + task_id.bytes
    # No secret: a place tells nothing, and the statement finds the user's own tasks from anywhere.
    # It is there for a cursor that was cut or changed on its way, which would skip tasks silently.
    check = hashlib.blake2s(place, digest_size=_CHECK_BYTES).digest()
    return base64.urlsafe_b64encode(place + check).decode()


def _place(text: str) -> Place:
    """Where a cursor leads; ValueError for what is none."""
    try:
        if not _CURSOR.fullmatch(text):
            raise ValueError
        found = base64.urlsafe_b64decode(text)
        moment = _EPOCH + _MICROSECOND * int.from_bytes(found[:8], "big", signed=True)
        task_id = UUID(bytes=found[8:24])
        if _write(moment, task_id) != text:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError("must be a next_cursor of this list") from None
    return Place(moment.isoformat(), str(task_id))
