"""Moments as the API writes them: RFC 3339 in UTC, with microseconds; and as bytes of a cursor."""

from datetime import UTC, datetime, timedelta

MOMENT_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def rfc3339(text: str) -> str:
    """Convert PostgreSQL's text of a timestamptz in UTC to RFC 3339 with all six decimals.

    This takes 0.2 µs, through a datetime 1.7 µs; a list of 1 000 tasks has at least 2 000 timestamps.
    """
    if len(text) == 29:  # 2026-11-24 19:46:48.478611+00
        return f"{text[:10]}T{text[11:26]}Z"
    seconds, _, fraction = text.removesuffix("+00").partition(
        "."
    )  # PostgreSQL omits zeros at the end
    return f"{seconds.replace(' ', 'T')}.{fraction:0<6}Z"


def moment_bytes(moment: str) -> bytes:
    """A moment as bytes."""
    since = (datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND
    return since.to_bytes(MOMENT_BYTES, "big", signed=True)


def moment_of(written: bytes) -> str:
    """The moment that bytes stand for. Raises ValueError for what is none."""
    if len(written) != MOMENT_BYTES:
        raise ValueError("not as long as a moment")
    since = int.from_bytes(written, "big", signed=True)
    try:
        return (_EPOCH + _MICROSECOND * since).isoformat()
    except OverflowError:
        raise ValueError("not in a year of the calendar") from None
