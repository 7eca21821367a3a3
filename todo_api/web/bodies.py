"""Reads a request's JSON body: checks for 415, then 400, then 422 with every problem of every field."""

import json
from collections.abc import Callable, Container, Iterator
from functools import cache
from types import NoneType
from typing import Any, NamedTuple, NoReturn, TypeVar, get_args, get_origin

import msgspec
from werkzeug.http import parse_options_header

from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396
MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 1000
INTEGER_DIGITS = 18  # of a number in a body: less than 64 bits

Body = TypeVar("Body", bound=msgspec.Struct)


def read_body(kind: type[Body], media_types: Container[str] = (JSON,)) -> Body:
    """Parse and validate the request's body as a `kind`. Raises Problem."""
    require_json(media_types)
    if is_compressed(current_request().headers.get("Content-Encoding", "")):
        raise Problem("unsupported-media-type", "The body must not be compressed.")
    return _validate(_parse(current_request().get_data(cache=False)), kind)


def require_json(media_types: Container[str] = (JSON,)) -> None:
    """Refuse a request whose Content-Type is not one of these, in UTF-8. Raises Problem."""
    if not is_json(current_request().headers.get("Content-Type", ""), media_types):
        raise Problem("unsupported-media-type")


def is_json(content_type: str, media_types: Container[str] = (JSON,)) -> bool:
    """Whether a Content-Type is one of these, in UTF-8."""
    header = content_type.lower()
    media_type, options = parse_options_header(header)
    # an unreadable charset is left out of `options`, and is not UTF-8
    in_utf8 = "charset" not in header or options.get("charset") == "utf-8"
    return media_type in media_types and in_utf8


def is_compressed(content_encoding: str) -> bool:
    """Whether a Content-Encoding says that the body is compressed."""
    return content_encoding.strip().lower() not in ("", "identity")


def _parse(raw: bytes) -> Any:
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


def _validate(value: Any, kind: type[Body]) -> Body:
    """Check every field on its own: msgspec stops at the first problem, a client wants all of them."""
    if not isinstance(value, dict):
        raise _refused([FieldError(field="", message="must be a JSON object")])
    known = _fields(kind)
    errors = [
        # a name may have lone surrogates, which UTF-8 can't encode
        FieldError(field=name.encode("utf-8", "replace").decode(), message="is not a known field")
        for name in value
        if name not in known
    ]
    valid: dict[str, Any] = {}
    for name, field in known.items():
        if name not in value:
            if field.required:
                errors.append(FieldError(field=name, message="is required"))
            continue
        try:
            valid[name] = _read_field(value[name], field)
        except ValueError as error:
            errors.append(FieldError(field=name, message=str(error)))
    errors += _not_together(valid, getattr(kind, "ONE_OF", ()))
    if errors:
        raise _refused(errors)
    return kind(**valid)


def _not_together(valid: dict[str, Any], names: tuple[str, ...]) -> list[FieldError]:
    """What is wrong if more than one of some fields has a value."""
    given = [name for name in names if valid.get(name) is not None]
    if len(given) < 2:
        return []
    message = f"only one of {' and '.join(names)} can have a value"
    return [FieldError(field=name, message=message) for name in given]


def _refused(errors: list[FieldError]) -> Problem:
    return Problem(
        "validation-error", "The body is JSON, but not what this call takes.", errors=errors
    )


class _Field(NamedTuple):
    required: bool
    kind: Any
    expected: str
    clean: (
        Callable[[Any], Any] | None
    )  # of a value; raises ValueError that says what is wrong with it


@cache  # msgspec takes 50 µs to find the fields
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    return {
        field.name: _Field(
            field.required,
            field.type,
            " or ".join(_expected(field.type)),
            next(_cleaners(field.type), None),
        )
        for field in msgspec.structs.fields(kind)
    }


def _cleaners(kind: Any) -> Iterator[Callable[[Any], Any]]:
    """The `clean` functions in the annotations of a type, the outermost first."""
    for meta in getattr(kind, "__metadata__", ()):
        if meta.extra:
            yield meta.extra["clean"]
    for part in get_args(kind):
        yield from _cleaners(part)


_IN_WORDS = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    tuple: "an array of strings",
    NoneType: "null",
}


def _expected(kind: Any) -> Iterator[str]:
    """What a value of a type is, in words."""
    if isinstance(kind, str):  # one of a Literal
        yield f'"{kind}"'
        return
    for meta in getattr(kind, "__metadata__", ()):
        if meta.le is not None:
            yield f"a whole number from {meta.ge} to {meta.le}"
            return
        if meta.max_length is not None:
            yield f"an array of at most {meta.max_length} strings"
            return
    origin = kind.__origin__ if hasattr(kind, "__metadata__") else get_origin(kind) or kind
    if found := _IN_WORDS.get(origin):
        yield found
    else:
        for part in get_args(origin) or get_args(kind):
            yield from _expected(part)


def _read_field(value: Any, field: _Field) -> Any:
    try:
        converted = msgspec.convert(value, field.kind)
    except msgspec.ValidationError:
        raise ValueError(f"must be {field.expected}") from None
    return field.clean(converted) if field.clean and converted is not None else converted
