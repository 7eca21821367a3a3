"""Pages of the events: what a query may ask for, and the cursor of the next page."""

from typing import NamedTuple

from todo_api.web.moments import MOMENT_BYTES, moment_bytes, moment_of
from todo_api.web.query import (
    NOT_OF_THIS_LIST,
    QueryParameter,
    cursor_length,
    judged_query,
    list_key,
    read_cursor,
    refused,
    whole_number,
    write_cursor,
)
from todo_api.web.schemas import FieldError

LIMIT_MAX, LIMIT = 100, 50
_NUMBER_BYTES = 8
_BYTES = MOMENT_BYTES + _NUMBER_BYTES


class Position(NamedTuple):
    """A position among the events: right after the one with this time and number, even if it was removed."""

    occurred_at: str
    number: int


class Page(NamedTuple):
    """A requested page: up to `limit` events that follow a position."""

    limit: int
    after: Position


START = Position("infinity", 0)


def requested_page(user_id: str) -> Page:
    """The page that the query asks for. Raises Problem."""
    query, errors = judged_query(QUERY)
    after = START
    if "cursor" in query:
        try:
            after = _position(query["cursor"], user_id)
        except ValueError as error:
            errors.append(FieldError(field="cursor", message=str(error)))
    if errors:
        raise refused(*errors)
    return Page(query.get("limit", LIMIT), after)


def cursor(last: Position, user_id: str) -> str:
    """The cursor of the page that follows this position in the user's events."""
    position = moment_bytes(last.occurred_at) + last.number.to_bytes(_NUMBER_BYTES, "big")
    return write_cursor(position, list_key(user_id, "events"))


def _position(text: str, user_id: str) -> Position:
    position = read_cursor(text, list_key(user_id, "events"))
    if len(position) != _BYTES:
        raise ValueError(NOT_OF_THIS_LIST)
    number = int.from_bytes(position[MOMENT_BYTES:], "big", signed=True)
    try:
        return Position(moment_of(position[:MOMENT_BYTES]), number)
    except ValueError:
        raise ValueError(NOT_OF_THIS_LIST) from None


# What the list takes.
QUERY = (
    whole_number(
        "limit",
        f"How many events a page has at most; {LIMIT} without it.",
        minimum=1,
        maximum=LIMIT_MAX,
    ),
    QueryParameter(
        "cursor",
        "The `next_cursor` of the page before. It leads on from there whatever has happened since, with "
        "another `limit` too.",
        {"type": "string", "pattern": f"^[A-Za-z0-9_-]{{{cursor_length(_BYTES)}}}$"},
        str,  # whose it is can be told when the user is known
    ),
)
