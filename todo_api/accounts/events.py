"""What happened at the door of the account, in pages."""

from typing import NamedTuple

from flask import Response

from todo_api.accounts.rows import as_event
from todo_api.accounts.sign_in_schemas import EventListAnswer, EventMeta
from todo_api.auth.admission import session_first, signed_in
from todo_api.database.calls import Call
from todo_api.web import answers, cursors
from todo_api.web.current import database
from todo_api.web.query import QueryParameter, read_query, whole_number
from todo_api.web.request import current_request

LIMIT_MAX, LIMIT = 100, 50
_NUMBER_BYTES = 8


class Position(NamedTuple):
    """A position among the events: right after the one with this time and number, even if it was removed."""

    occurred_at: str
    number: int


START = Position("infinity", 0)


def list_events() -> Response:
    """A page of the events, newest first."""
    with session_first:
        query = read_query(QUERY)
    limit, after = query.get("limit", LIMIT), query.get("cursor", START)
    position = {"last_occurred_at": after.occurred_at, "last_number": after.number}
    call = Call("auth_events/page", position | {"page_size": limit})
    [rows] = database().as_user(signed_in(), call)
    cursor = _cursor(*rows[limit - 1]) if len(rows) > limit else None
    found = [as_event(*row) for row in rows[:limit]]
    meta = EventMeta(
        timestamp=answers.timestamp(),
        request_id=current_request().id,
        count=len(found),
        next_cursor=cursor,
    )
    headers = {}
    if cursor:
        request = current_request()
        next_page = f"{request.script_root}{request.path}?limit={limit}&cursor={cursor}"
        headers["Link"] = f'<{next_page}>; rel="next"'
    return answers.json_answer(EventListAnswer(data=found, meta=meta), headers=headers)


def _cursor(number: int, occurred_at: str, *_: object) -> str:
    return cursors.write(occurred_at, number.to_bytes(_NUMBER_BYTES, "big"))


def _read_cursor(text: str) -> Position:
    moment, number = cursors.read(text, _NUMBER_BYTES)
    return Position(moment, int.from_bytes(number, "big", signed=True))


# What the list takes.
QUERY = (
    whole_number(
        "limit", "How many events a page has at most.", minimum=1, maximum=LIMIT_MAX, default=LIMIT
    ),
    QueryParameter(
        "cursor",
        "The `next_cursor` of the page before. It leads on from there whatever has happened since, with "
        "another `limit` too.",
        {"type": "string", "pattern": f"^{cursors.pattern(_NUMBER_BYTES)}$"},
        _read_cursor,
    ),
)
