"""Where attempts are counted, unless RATELIMIT_STORAGE_URI names a Redis: a table of the database."""

from typing import Any

from limits.storage import MovingWindowSupport, Storage

from todo_api.database.calls import Call, Unavailable
from todo_api.database.data import Database

SCHEME = "todo-api"


class PostgresStorage(MovingWindowSupport, Storage):
    """Moving windows in the table rate_limits: exact over all processes, kept over restarts."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 (the library's own declaration)

    def __init__(self, uri: str | None = None, *, database: Database, **options: Any) -> None:
        super().__init__(uri, **options)
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exceptions of a database that is away."""
        return Unavailable

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` attempts, unless that made more than `limit` within `expiry` seconds."""
        parameters = {"key": key, "cost": amount, "allowed": limit, "window": expiry}
        [rows] = self._database.before_sign_in(Call("before_sign_in/hit_rate_limit", parameters))
        return bool(rows)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest attempt of the last `expiry` seconds was (Unix time), and how many there were."""
        parameters = {"key": key, "window": expiry}
        [rows] = self._database.before_sign_in(Call("before_sign_in/read_rate_limit", parameters))
        return rows[0]  # type: ignore[no-any-return]

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
        """Forget all attempts; how many counters there were."""
        [rows] = self._database.before_sign_in(Call("before_sign_in/clear_rate_limits"))
        return len(rows)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Of fixed windows, which this storage does not count."""
        raise NotImplementedError("moving windows only")

    def get(self, key: str) -> int:
        """Of fixed windows, which this storage does not count."""
        raise NotImplementedError("moving windows only")

    def get_expiry(self, key: str) -> float:
        """Of fixed windows, which this storage does not count."""
        raise NotImplementedError("moving windows only")
