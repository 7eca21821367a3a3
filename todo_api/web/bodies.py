"""Reads a request's JSON body: checks for 415, then 400, then 422 with every problem of every field."""

import json
from collections.abc import Container
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec
from werkzeug.http import parse_options_header

from todo_api.body.fields import Field, fields_of
from todo_api.body.one_pass import read_at_once
from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

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
    environ = current_request().environ
    if is_compressed(environ.get("HTTP_CONTENT_ENCODING", "")):
        raise Problem("unsupported-media-type", "The body must not be compressed.")
    # werkzeug's own stream, which counts while it reads, takes 6 % of a create.
    raw: bytes = environ["wsgi.input"].read(_most_to_read(environ, most_bytes))
    if len(raw) > most_bytes:
        raise Problem("payload-too-large")
    return read_at_once(raw, kind) or read_carefully(raw, kind)


def _most_to_read(environ: "WSGIEnvironment", most_bytes: int) -> int:
    """One byte more than is taken. Other servers than waitress end the stream with the connection."""
    if environ.get("wsgi.input_terminated"):
        return most_bytes + 1
    return min(current_request().content_length or 0, most_bytes + 1)


def read_carefully(raw: bytes, kind: type[Body]) -> Body:
    """Parse and validate a body with all that is to be said about what is wrong with it. Raises Problem."""
    return _validate(_parse(raw), kind)


def require_json(media_types: Container[str] = (JSON,)) -> None:
    """Refuse a request whose Content-Type is not one of these, in UTF-8. Raises Problem."""
    if not is_json(current_request().environ.get("CONTENT_TYPE", ""), media_types):
        raise Problem("unsupported-media-type")


def is_json(content_type: str, media_types: Container[str] = (JSON,)) -> bool:
    """Whether a Content-Type is one of these, in UTF-8."""
    if content_type in media_types:
        return True
    header = content_type.lower()
    media_type, options = parse_options_header(header)
    # an unreadable charset is left out of `options`, and is not UTF-8
    in_utf8 = "charset" not in header or options.get("charset") == "utf-8"
    return media_type in media_types and in_utf8


def is_compressed(content_encoding: str) -> bool:
    """Whether a Content-Encoding says that the body is compressed."""
    return content_encoding != "" and content_encoding.strip().lower() not in ("", "identity")


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
    known = fields_of(kind)
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
    value: Any, field: Field, path: str, errors: list[FieldError]
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


def _read_field(value: Any, field: Field) -> Any:
    try:
        converted = msgspec.convert(value, field.kind)
    except msgspec.ValidationError:
        raise ValueError(f"must be {field.expected}") from None
    return field.clean(converted) if field.clean and converted is not None else converted
