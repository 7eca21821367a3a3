"""Reads a body that is as it should be in one pass of msgspec. What it leaves is for the careful reader.

msgspec stops at the first problem and does not say all that is wrong, so the careful reader (careful.py)
answers for every body that is refused. Of most bodies nothing is wrong: they need not be read twice as long.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET

from todo_api.body.fields import fields_of

Body = TypeVar("Body", bound=msgspec.Struct)
_QUOTE = b'"'
_ESCAPED_QUOTE = b"\\u0022"
_encode = msgspec.json.Encoder().encode


def read_at_once(raw: bytes, kind: type[Body]) -> Body | None:
    """The body, if the careful reader would return the same; None if that has to be asked."""
    plan = _plan(kind)
    if plan is None:
        return None
    try:
        body: Body = plan.decode(raw)
        if _may_name_a_key_twice(raw, body):
            return None
        _clean(body, plan)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return body


def _may_name_a_key_twice(raw: bytes, body: msgspec.Struct) -> bool:
    """Whether a member of an object may be there more than once: msgspec takes the last.

    Every string, names included, has two quotes of its own, however it is escaped. A quote within a string is
    one more, written `\\"` (or as u0022, which this leaves to the careful reader). `body` written again has
    the strings of each member once, so just as many quotes; a name that was there twice had two quotes more.
    """
    return raw.count(_QUOTE) != _encode(body).count(_QUOTE) or _ESCAPED_QUOTE in raw


class _Plan(NamedTuple):
    """How a class is read: the pass itself; then single fields, arrays of objects, and what excludes what."""

    decode: Callable[[bytes], Any]
    cleaners: tuple[tuple[str, Callable[[Any], Any]], ...]
    arrays: tuple[tuple[str, dict[type[msgspec.Struct], "_Plan"]], ...]
    one_of: tuple[str, ...]


def _clean(body: msgspec.Struct, plan: _Plan) -> None:
    """Replace each value by its clean one. Raises ValueError for what is to be refused."""
    for name, clean in plan.cleaners:
        value = getattr(body, name)
        if value is not None and value is not UNSET:
            setattr(body, name, clean(value))
    for name, plans in plan.arrays:
        for item in getattr(body, name):
            _clean(item, plans[type(item)])
    if plan.one_of and len([name for name in plan.one_of if getattr(body, name)]) > 1:
        raise ValueError("only one of them can have a value")


@cache
def _plan(kind: type[msgspec.Struct]) -> _Plan | None:
    # An unknown name is not written again, and a default is, so the quotes would prove nothing.
    if not kind.__struct_config__.forbid_unknown_fields or any(
        not one.required and one.default is not UNSET for one in msgspec.structs.fields(kind)
    ):
        return None
    fields = fields_of(kind)
    arrays = []
    for name, field in fields.items():
        kinds = field.items.kinds.values() if field.items else ()
        plans = {one: plan for one in kinds if (plan := _plan(one))}
        if len(plans) < len(kinds):
            return None
        if plans:
            arrays.append((name, plans))
    return _Plan(
        msgspec.json.Decoder(kind).decode,
        tuple((name, field.clean) for name, field in fields.items() if field.clean),
        tuple(arrays),
        getattr(kind, "ONE_OF", ()),
    )
