"""What the class of a body says about each of its fields: for the readers of bodies."""

from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import msgspec


class Items(NamedTuple):
    """What an array of objects holds."""

    tag: str  # the member that names an object's kind
    kinds: dict[str, type[msgspec.Struct]]
    least: int
    most: int


class Field(NamedTuple):
    """What is known of one field; `expected` says it in words."""

    required: bool
    kind: Any
    expected: str
    clean: (
        Callable[[Any], Any] | None
    )  # of a value; raises ValueError that says what is wrong with it
    items: Items | None  # if it is an array of objects


@cache  # msgspec takes 50 µs to find the fields
def fields_of(kind: type[msgspec.Struct]) -> dict[str, Field]:
    """The fields by their names, in order."""
    return {field.name: _field(field) for field in msgspec.structs.fields(kind)}


def _field(field: msgspec.structs.FieldInfo) -> Field:
    if items := _items(field.type):
        expected = f"an array of {items.least} to {items.most} objects"
        return Field(field.required, field.type, expected, None, items)
    expected = " or ".join(_expected(field.type))
    clean = next(_cleaners(field.type), None)
    return Field(field.required, field.type, expected, clean, None)


def _items(kind: Any) -> Items | None:
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
    return Items(tag, configs, limits.min_length, limits.max_length)


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
