"""Reads a request's query by a table of what a call takes; the OpenAPI document has the same table."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT_BYTES = 8
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


def read_query(parameters: Iterable[QueryParameter]) -> dict[str, Any]:
    """The values that the query has, by name. Raises Problem for unknown, doubled, empty and wrong ones."""
    request = current_request()
    if not request.query_string:  # the usual case: werkzeug takes 8 µs to parse an empty query
        return {}
    known = {one.name: one for one in parameters}
    found: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, texts in request.args.lists():
        try:
            found[name] = _read(known.get(name), texts)
        except ValueError as error:
            errors.append(FieldError(field=name, message=str(error)))
    if errors:
        raise refused(*errors)
    return found


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


def write_cursor(moment: str, rest: bytes) -> str:
    """The cursor of a position in a list: a moment, and what tells things of one moment apart."""
    since = (datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND
    position = since.to_bytes(_MOMENT_BYTES, "big", signed=True) + rest
    # Not a secret: a position reveals nothing, and the statements only find the user's own rows. The checksum
    # detects a cursor that was cut or changed on its way, which would silently skip some.
    check = hashlib.blake2s(position, digest_size=_check_bytes(len(rest))).digest()
    return base64.urlsafe_b64encode(position + check).decode()


def read_cursor(text: str, rest_bytes: int) -> tuple[str, bytes]:
    """The position that a cursor stands for. Raises ValueError for a text that is no cursor."""
    try:
        if not re.fullmatch(cursor_pattern(rest_bytes), text):
            raise ValueError
        found = base64.urlsafe_b64decode(text)
        since = int.from_bytes(found[:_MOMENT_BYTES], "big", signed=True)
        moment = (_EPOCH + _MICROSECOND * since).isoformat()
        rest = found[_MOMENT_BYTES : _MOMENT_BYTES + rest_bytes]
        if write_cursor(moment, rest) != text:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError("must be a next_cursor of this list") from None
    return moment, rest


def cursor_pattern(rest_bytes: int) -> str:
    """What a cursor looks like, as a regular expression."""
    length = (_MOMENT_BYTES + rest_bytes + _check_bytes(rest_bytes)) // 3 * 4
    return f"[A-Za-z0-9_-]{{{length}}}"


def _check_bytes(rest_bytes: int) -> int:
    return _CHECK_BYTES + -(_MOMENT_BYTES + rest_bytes) % 3
