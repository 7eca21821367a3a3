"""Reads a request's JSON body: checks for 415, then 400, then 422 with every problem of every field."""

import json
from collections.abc import Callable, Container, Iterator
from functools import cache
from types import NoneType
from typing import Annotated, Any, NamedTuple, NoReturn, TypeVar, get_args, get_origin

import msgspec
from werkzeug.http import parse_options_header

from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396
MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 1000
# A body of 64 KiB can't have more. Of a longer one that has, so many are named, and the rest is counted.
MOST_ERRORS = 10_000
INTEGER_DIGITS = 18  # of a number in a body: less than 64 bits

Body = TypeVar("Body", bound=msgspec.Struct)


def read_body(
    kind: type[Body], media_types: Container[str] = (JSON,), *, most_bytes: int = MAX_BODY_BYTES
) -> Body:
    """Parse and validate the request's body as a `kind`. Raises Problem."""
    require_json(media_types)
    request = current_request()
    if is_compressed(request.headers.get("Content-Encoding", "")):
        raise Problem("unsupported-media-type", "The body must not be compressed.")
    if most_bytes != MAX_BODY_BYTES:
        request.max_content_length = most_bytes
    return _validate(_parse(request.get_data(cache=False)), kind)


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
    errors: list[FieldError] = []
    valid = _read_object(value, kind, "", errors)
    if errors:
        raise _refused(errors)
    return kind(**valid)


def _read_object(
    value: Any, kind: type[msgspec.Struct], path: str, errors: list[FieldError]
) -> dict[str, Any]:
    """Check every field on its own: msgspec stops at the first problem, a client wants all of them.

    `path` is where the object stands in the body, "" for the body itself. Adds to `errors`.
    """
    if not isinstance(value, dict):
        errors.append(FieldError(field=path, message="must be a JSON object"))
        return {}
    known = _fields(kind)
    prefix = f"{path}." if path else ""
    tag = kind.__struct_config__.tag_field
    errors += [
        # a name may have lone surrogates, which UTF-8 can't encode
        FieldError(
            field=prefix + name.encode("utf-8", "replace").decode(), message="is not a known field"
        )
        for name in value
        if name not in known and name != tag
    ]
    valid: dict[str, Any] = {}
    for name, field in known.items():
        if name not in value:
            if field.required:
                errors.append(FieldError(field=prefix + name, message="is required"))
        elif field.items:
            valid[name] = _read_items(value[name], field, prefix + name, errors)
        else:
            try:
                valid[name] = _read_field(value[name], field)
            except ValueError as error:
                errors.append(FieldError(field=prefix + name, message=str(error)))
    errors += _not_together(valid, prefix, getattr(kind, "ONE_OF", ()))
    return valid


def _read_items(
    value: Any, field: "_Field", path: str, errors: list[FieldError]
) -> tuple[msgspec.Struct, ...]:
    """Check the objects of an array, each of the kind that its tag names."""
    tag, kinds, least, most = field.items  # type: ignore[misc]
    if not isinstance(value, list) or not least <= len(value) <= most:
        errors.append(FieldError(field=path, message=f"must be {field.expected}"))
        return ()
    read = []
    for number, item in enumerate(value):
        where = f"{path}[{number}]"
        if not isinstance(item, dict):
            errors.append(FieldError(field=where, message="must be a JSON object"))
            continue
        if tag not in item:
            errors.append(FieldError(field=f"{where}.{tag}", message="is required"))
            continue
        name = item[tag]
        kind = kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            known = " or ".join(f'"{one}"' for one in kinds)
            errors.append(FieldError(field=f"{where}.{tag}", message=f"must be {known}"))
            continue
        before = len(errors)
        valid = _read_object(item, kind, where, errors)
        if len(errors) == before:
            read.append(kind(**valid))
    return tuple(read)


def _not_together(valid: dict[str, Any], prefix: str, names: tuple[str, ...]) -> list[FieldError]:
    """What is wrong if more than one of some fields has a value."""
    given = [name for name in names if valid.get(name) is not None]
    if len(given) < 2:
        return []
    message = f"only one of {' and '.join(names)} can have a value"
    return [FieldError(field=prefix + name, message=message) for name in given]


def _refused(errors: list[FieldError]) -> Problem:
    if left := errors[MOST_ERRORS:]:
        rest = FieldError(field="", message=f"has {len(left)} more problems")
        errors = [*errors[:MOST_ERRORS], rest]
    return Problem(
        "validation-error", "The body is JSON, but not what this call takes.", errors=errors
    )


class _Items(NamedTuple):
    tag: str  # the member that names an object's kind
    kinds: dict[str, type[msgspec.Struct]]
    least: int
    most: int


class _Field(NamedTuple):
    required: bool
    kind: Any
    expected: str
    clean: (
        Callable[[Any], Any] | None
    )  # of a value; raises ValueError that says what is wrong with it
    items: _Items | None  # if it is an array of objects


@cache  # msgspec takes 50 µs to find the fields
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    return {field.name: _field(field) for field in msgspec.structs.fields(kind)}


def _field(field: msgspec.structs.FieldInfo) -> _Field:
    if items := _items(field.type):
        expected = f"an array of {items.least} to {items.most} objects"
        return _Field(field.required, field.type, expected, None, items)
    expected = " or ".join(_expected(field.type))
    clean = next(_cleaners(field.type), None)
    return _Field(field.required, field.type, expected, clean, None)


def _items(kind: Any) -> _Items | None:
    """What an array of objects holds; None for any other type."""
    if get_origin(kind) is not Annotated:
        return None
    array, limits = get_args(kind)[:2]
    of_array = get_args(array)
    kinds = get_args(of_array[0]) if get_origin(array) is tuple else ()
    if not all(hasattr(one, "__struct_config__") for one in kinds) or not kinds:
        return None
    configs = {one.__struct_config__.tag: one for one in kinds}
    tag = kinds[0].__struct_config__.tag_field
    return _Items(tag, configs, limits.min_length, limits.max_length)


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
    if type(value) is float and value.is_integer() and abs(value) < 10**INTEGER_DIGITS:
        value = int(value)  # to JSON Schema 1.0 is an integer, as 1 is
    try:
        converted = msgspec.convert(value, field.kind)
    except msgspec.ValidationError:
        raise ValueError(f"must be {field.expected}") from None
    return field.clean(converted) if field.clean and converted is not None else converted
