"""Cursors: a position in a list that is newest first, as a text that a client sends back."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT_BYTES = 8
_CHECK_BYTES = 3  # or up to two more, so that base64 needs no padding


def write(moment: str, rest: bytes) -> str:
    """The cursor of a position: a moment, and what tells things of one moment apart."""
    since = (datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND
    position = since.to_bytes(_MOMENT_BYTES, "big", signed=True) + rest
    # Not a secret: a position reveals nothing, and the statements only find the user's own rows. The checksum
    # detects a cursor that was cut or changed on its way, which would silently skip some.
    check = hashlib.blake2s(position, digest_size=_check_bytes(len(rest))).digest()
    return base64.urlsafe_b64encode(position + check).decode()


def read(text: str, rest_bytes: int) -> tuple[str, bytes]:
    """The position that a cursor stands for. Raises ValueError for a text that is no cursor."""
    try:
        if not re.fullmatch(pattern(rest_bytes), text):
            raise ValueError
        found = base64.urlsafe_b64decode(text)
        since = int.from_bytes(found[:_MOMENT_BYTES], "big", signed=True)
        moment = (_EPOCH + _MICROSECOND * since).isoformat()
        rest = found[_MOMENT_BYTES : _MOMENT_BYTES + rest_bytes]
        if write(moment, rest) != text:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError("must be a next_cursor of this list") from None
    return moment, rest


def pattern(rest_bytes: int) -> str:
    """What a cursor looks like, as a regular expression."""
    length = (_MOMENT_BYTES + rest_bytes + _check_bytes(rest_bytes)) // 3 * 4
    return f"[A-Za-z0-9_-]{{{length}}}"


def _check_bytes(rest_bytes: int) -> int:
    return _CHECK_BYTES + -(_MOMENT_BYTES + rest_bytes) % 3
