"""Reads a request's query by a table of what a call takes; the OpenAPI document has the same table."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

NOT_OF_THIS_LIST = "must be a next_cursor of this list"
_CHECK_BYTES = 3  # of a cursor; or up to two more, so that base64 needs no padding


class QueryParameter(NamedTuple):
    """A parameter that a call takes; `read` raises ValueError that says what is wrong with a text."""

    name: str
    description: str
    schema: dict[str, Any]
    read: Callable[[str], Any]


def whole_number(name: str, description: str, *, minimum: int, maximum: int) -> QueryParameter:
    """A parameter that is a number in decimal digits, without a sign or leading zeros."""
    digits = re.compile(f"0|[1-9][0-9]{{0,{len(str(maximum)) - 1}}}", re.ASCII)

    def read(text: str) -> int:
        if not (digits.fullmatch(text) and minimum <= int(text) <= maximum):
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return QueryParameter(name, description, schema, read)


def one_of(values: Mapping[str, Any]) -> Callable[[str], Any]:
    """Reads one of a few words; `values` are what they stand for."""

    def read(text: str) -> Any:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return values[text]

    return read


def read_query(parameters: Iterable[QueryParameter]) -> dict[str, Any]:
    """The values that the query has, by name. Raises Problem for unknown, doubled, empty and wrong ones."""
    found, errors = judged_query(parameters)
    if errors:
        raise refused(*errors)
    return found


def judged_query(
    parameters: Iterable[QueryParameter],
) -> tuple[dict[str, Any], list[FieldError]]:
    """The values that the query has, by name; and what is wrong with the others."""
    request = current_request()
    found: dict[str, Any] = {}
    errors: list[FieldError] = []
    if not request.query_string:  # the usual case: werkzeug takes 8 µs to parse an empty query
        return found, errors
    known = {one.name: one for one in parameters}
    garbled = _garbled(request.query_string)
    for name, texts in request.args.lists():
        try:
            value = _read(known.get(name), texts)
            if name in garbled:
                raise ValueError("must be UTF-8")
            found[name] = value
        except ValueError as error:
            errors.append(FieldError(field=name, message=str(error)))
    return found, errors


def refused(*errors: FieldError) -> Problem:
    """The Problem of a query that is wrong."""
    return Problem(
        "validation-error", "The query is not what this call takes.", errors=list(errors)
    )


def _read(parameter: QueryParameter | None, texts: list[str]) -> Any:
    if parameter is None:
        raise ValueError("is not a known parameter")
    if len(texts) > 1:
        raise ValueError("must be given once")
    if not texts[0]:
        raise ValueError("must not be empty")
    return parameter.read(texts[0])


def _garbled(query: bytes) -> set[str]:
    """The names of parameters whose values are not UTF-8: werkzeug leaves such bytes percent-encoded."""
    if b"%" not in query or _is_utf8(unquote_to_bytes(query)):
        return set()
    pairs = (pair.partition(b"=") for pair in query.split(b"&"))
    return {
        unquote_to_bytes(name.replace(b"+", b" ")).decode(errors="replace")
        for name, _, value in pairs
        if not _is_utf8(unquote_to_bytes(value))
    }


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def write_cursor(position: bytes, key: bytes = b"") -> str:
    """The cursor of a position in the list that `key` stands for."""
    # Not a secret: a position reveals nothing, and the statements only find the user's own rows. The checksum
    # detects a cursor that was cut or changed on its way, which would silently skip some.
    size = _CHECK_BYTES + -len(position) % 3
    check = hashlib.blake2s(position, digest_size=size, key=key).digest()
    return base64.urlsafe_b64encode(position + check).decode()


def read_cursor(text: str, *keys: bytes) -> bytes:
    """The position in a list with one of these keys. Raises ValueError for what is no cursor of it."""
    if re.fullmatch("([A-Za-z0-9_-]{4})+", text):
        found = base64.urlsafe_b64decode(text)
        for size in range(_CHECK_BYTES, _CHECK_BYTES + 3):
            position = found[:-size]
            if any(write_cursor(position, key) == text for key in keys):
                return position
    raise ValueError(NOT_OF_THIS_LIST)


def cursor_length(position_bytes: int) -> int:
    """How many characters the cursor of a position has."""
    return -(-(position_bytes + _CHECK_BYTES) // 3) * 4


def list_key(*whose: object) -> bytes:
    """A key that only the same user, filters and order have."""
    return hashlib.blake2s(repr(whose).encode()).digest()
