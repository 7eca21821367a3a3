"""Cursors: positions in lists, as texts that tell when they were cut, changed, or belong to another list."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MOMENT_BYTES = 8
_CHECK_BYTES = 3  # of a cursor; or up to two more, so that base64 needs no padding


def write_cursor(position: bytes, key: bytes = b"") -> str:
    """The cursor of a position in the list that `key` stands for."""
    # Not a secret: a position reveals nothing, and the statements only find the user's own rows. The checksum
    # detects a cursor that was cut or changed on its way, which would silently skip some.
    size = _CHECK_BYTES + -len(position) % 3
    check = hashlib.blake2s(position, digest_size=size, key=key).digest()
    return base64.urlsafe_b64encode(position + check).decode()


def read_cursor(text: str, *keys: bytes) -> bytes:
    """The position in a list with one of these keys. Raises ValueError for what is no cursor of it."""
    if re.fullmatch("([A-Za-z0-9_-]{4})+", text):
        found = base64.urlsafe_b64decode(text)
        for size in range(_CHECK_BYTES, _CHECK_BYTES + 3):
            position = found[:-size]
            if any(write_cursor(position, key) == text for key in keys):
                return position
    raise not_of_this_list()


def not_of_this_list() -> ValueError:
    """What is wrong with a text that is no cursor of this list."""
    return ValueError("must be a next_cursor of this list")


def cursor_length(position_bytes: int) -> int:
    """How many characters the cursor of a position has."""
    return -(-(position_bytes + _CHECK_BYTES) // 3) * 4


def list_key(*whose: object) -> bytes:
    """A key that only the same user, filters and order have."""
    return hashlib.blake2s(repr(whose).encode()).digest()


def moment_bytes(moment: str) -> bytes:
    """A moment as part of a position."""
    since = (datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND
    return since.to_bytes(MOMENT_BYTES, "big", signed=True)


def moment_of(position: bytes) -> str:
    """The moment that a position begins with."""
    since = int.from_bytes(position[:MOMENT_BYTES], "big", signed=True)
    try:
        return (_EPOCH + _MICROSECOND * since).isoformat()
    except OverflowError:
        raise not_of_this_list() from None
