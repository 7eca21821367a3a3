"""Counts attempts in a table of the database, unless RATELIMIT_STORAGE_URI names a Redis."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from limits.storage import MovingWindowSupport, Storage

from todo_api.database.calls import Call, Unavailable
from todo_api.database.data import Database

SCHEME = "todo-api"


class Counter(NamedTuple):
    """A limited network with its route, and how many attempts it may have in a window."""

    key: str
    allowed: int


class PostgresStorage(MovingWindowSupport, Storage):
    """Moving windows in the table rate_limits: exact over all processes, kept over restarts."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 (the library's own declaration)

    def __init__(self, uri: str | None = None, *, database: Database, **options: Any) -> None:
        super().__init__(uri, **options)
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exception for an unavailable database."""
        return Unavailable

    def count(self, counters: Sequence[Counter], window_s: int, cost: int = 1) -> bool:
        """Count an attempt in all counters, the widest last; in none, if it would be too many in one."""
        parameters = {
            "keys": _array(counter.key for counter in counters),
            "allowed": _array(counter.allowed for counter in counters),
            "cost": cost,
            "window": window_s,
        }
        _, accepted = self._database.before_sign_in(
            Call("before_sign_in/take_rate_limit_turn", {"key": counters[-1].key}),
            Call("before_sign_in/hit_rate_limit", parameters),
        )
        return bool(accepted)

    def read(self, counters: Sequence[Counter], window_s: int) -> list[tuple[float, int]]:
        """Of each counter, the Unix time of the oldest attempt in the window, and the number of attempts."""
        parameters = {"keys": _array(counter.key for counter in counters), "window": window_s}
        [rows] = self._database.before_sign_in(Call("before_sign_in/read_rate_limit", parameters))
        return rows  # type: ignore[no-any-return]

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` attempts, unless that would be more than `limit` within `expiry` seconds."""
        return self.count([Counter(key, limit)], expiry, amount)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """The Unix time of the oldest attempt in the last `expiry` seconds, and the number of attempts."""
        return self.read([Counter(key, limit)], expiry)[0]

    def check(self) -> bool:
        """Whether counters can be read."""
        try:
            self.get_moving_window("check", 1, 1)
        except Unavailable:
            return False
        return True

    def clear(self, key: str) -> None:
        """Forget one client's attempts."""
        self._database.before_sign_in(Call("before_sign_in/clear_rate_limit", {"key": key}))

    def reset(self) -> int:
        """Forget all attempts; returns the number of counters."""
        [rows] = self._database.before_sign_in(Call("before_sign_in/clear_rate_limits"))
        return len(rows)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Part of the interface for fixed windows only."""
        raise NotImplementedError("moving windows only")

    def get(self, key: str) -> int:
        """Part of the interface for fixed windows only."""
        raise NotImplementedError("moving windows only")

    def get_expiry(self, key: str) -> float:
        """Part of the interface for fixed windows only."""
        raise NotImplementedError("moving windows only")


def _array(values: Iterable[object]) -> str:
    """An array as PostgreSQL reads it, of numbers or of keys, which have no quotes or backslashes."""
    return "{" + ",".join(f'"{value}"' for value in values) + "}"
