"""Parses a body as JSON, more strictly than Python does: what is not well-formed is 400, with the place."""

import json
from typing import Any, NoReturn

from todo_api.web.problems import Problem

MAX_DEPTH = 1000
INTEGER_DIGITS = 18  # of a number in a body: less than 64 bits


def parse(raw: bytes) -> Any:
    """The value that a body has. Raises Problem."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(
            "malformed-request", f"The body is not UTF-8 at byte {error.start}."
        ) from None
    if text.startswith("\ufeff"):
        raise Problem("malformed-request", "The body starts with a byte-order mark.")
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise Problem(
            "malformed-request",
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _too_deep()
    return value


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # RFC 8259, 4: parsers differ in which of the values they use
        raise Problem("malformed-request", "The body names a key twice in one object.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Problem("malformed-request", f"The body is not JSON: {name} is no JSON number.")


def _whole_number(text: str) -> int | float:
    """An int, or for more than 18 digits a float, which no field takes: int() of 4 000 digits takes long."""
    return int(text) if len(text) <= INTEGER_DIGITS else float(text)


_decode = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates,
    parse_constant=_refuse_constant,
    parse_int=_whole_number,
).decode


def _too_deep() -> Problem:
    return Problem("malformed-request", "The body is nested too deeply.")


def _depth(value: Any) -> int:
    """How deeply arrays and objects are nested, counted without recursion."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, list | dict)]:
        depth += 1
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth
