"""Reads the query of a call that takes parameters: what it does not know is refused, not ignored."""

from collections.abc import Callable, Mapping
from typing import Any

from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

Reader = Callable[[str], Any]  # of a parameter's text; raises ValueError that says what is wrong


def read_query(known: Mapping[str, Reader]) -> dict[str, Any]:
    """The parameters that were sent, by their names. Raises Problem, with each one that is wrong."""
    request = current_request()
    if not request.query_string:  # the usual case: werkzeug takes 8 µs to parse an empty query
        return {}
    found, errors = {}, []
    for name, values in request.args.lists():
        try:
            found[name] = _read(known, name, values)
        except ValueError as error:
            errors.append(FieldError(field=name, message=str(error)))
    if errors:
        raise Problem("validation-error", "The query is not what this call takes.", errors=errors)
    return found


def _read(known: Mapping[str, Reader], name: str, values: list[str]) -> Any:
    if name not in known:
        raise ValueError("is not a known parameter")
    if len(values) > 1:
        raise ValueError("must be given once")
    if not values[0]:
        raise ValueError("must not be empty")
    return known[name](values[0])
