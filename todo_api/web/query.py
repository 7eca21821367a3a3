"""Reads a request's query by a table of what a call takes; the OpenAPI document has the same table."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError


class QueryParameter(NamedTuple):
    """A parameter that a call takes; `read` raises ValueError that says what is wrong with a text."""

    name: str
    description: str
    schema: dict[str, Any]
    read: Callable[[str], Any]


def whole_number(
    name: str, description: str, *, minimum: int, maximum: int, default: int | None = None
) -> QueryParameter:
    """A parameter that is a number in decimal digits, without a sign or leading zeros."""
    digits = re.compile(f"0|[1-9][0-9]{{0,{len(str(maximum)) - 1}}}", re.ASCII)

    def read(text: str) -> int:
        if not (digits.fullmatch(text) and minimum <= int(text) <= maximum):
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    schema: dict[str, Any] = {"type": "integer", "minimum": minimum, "maximum": maximum}
    if default is not None:
        schema["default"] = default
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
