"""Reads a body with all that is to be said about what is wrong with it: each problem of each field."""

from typing import Any, TypeVar

import msgspec

from todo_api.body.fields import Field, fields_of
from todo_api.body.well_formed import parse
from todo_api.web.problems import Problem
from todo_api.web.schemas import FieldError

# A body of 64 KiB can't have more. Of a longer one that has, so many are named, and the rest is counted.
MOST_ERRORS = 10_000

Body = TypeVar("Body", bound=msgspec.Struct)


def read_carefully(raw: bytes, kind: type[Body]) -> Body:
    """The body as a `kind`. Raises Problem."""
    errors: list[FieldError] = []
    valid = _read_object(parse(raw), kind, "", errors)
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
