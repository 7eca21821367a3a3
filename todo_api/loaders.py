"""What PostgreSQL's values become on their way to JSON: text, without a detour over objects."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def read_as_text(connection: psycopg.Connection[Any]) -> None:
    """Have ids and times of this connection come as text."""
    connection.adapters.register_loader("uuid", _UuidAsText)
    connection.adapters.register_loader("timestamptz", _TimeAsText)


class _UuidAsText(Loader):
    """Ids stay text on their way to JSON."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        digits = bytes(data).hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class _TimeAsText(Loader):
    """Times are RFC 3339 in UTC with all six digits, whatever the session's time zone."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        # 1.0 µs against 2.4 µs by isoformat(): a list of 1 000 tasks has at least 2 000 times
        minute, rest = divmod(int.from_bytes(data, "big", signed=True), 60_000_000)
        second, microsecond = divmod(rest, 1_000_000)
        return f"{_minute(minute)}{second:02d}.{microsecond:06d}Z"


@lru_cache(4096)
def _minute(number: int) -> str:
    """The text of a minute, counted from PostgreSQL's epoch."""
    return (_EPOCH + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:")
