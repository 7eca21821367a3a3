"""The rate limit of signup and login: flask-limiter, counting in PostgreSQL."""

import math
import time
from collections.abc import Collection
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from flask import Flask, Response, after_this_request, request
from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from limits.errors import StorageError
from limits.storage import MovingWindowSupport, Storage

from todo_api.auth import events
from todo_api.database.data import Call, Database, Unavailable
from todo_api.settings.config import Config
from todo_api.web import problems
from todo_api.web.problems import Problem

IPV6_PREFIX = 64  # what one subscriber holds at least (RFC 6177), and can change addresses within


class PostgresStorage(MovingWindowSupport, Storage):
    """Moving windows in the table rate_limits: exact over all processes, kept over restarts."""

    STORAGE_SCHEME = ["todo-api"]  # noqa: RUF012 (the library's own declaration)

    def __init__(self, uri: str | None = None, *, database: Database, **options: Any) -> None:
        super().__init__(uri, **options)
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the database raises when it is away."""
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
        """Part of fixed windows, which this storage does not keep."""
        raise NotImplementedError("moving windows only")

    def get(self, key: str) -> int:
        """Part of fixed windows, which this storage does not keep."""
        raise NotImplementedError("moving windows only")

    def get_expiry(self, key: str) -> float:
        """Part of fixed windows, which this storage does not keep."""
        raise NotImplementedError("moving windows only")


def client() -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64."""
    address = ip_address(request.remote_addr or "::")
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def init_app(app: Flask, config: Config, database: Database, endpoints: Collection[str]) -> None:
    """Limit `endpoints`, counting in PostgreSQL or where RATELIMIT_STORAGE_URI says."""
    elsewhere = config.ratelimit_storage_uri
    options: dict[str, Any] = {"wrap_exceptions": True} if elsewhere else {"database": database}
    limiter = Limiter(
        client,
        app=app,
        strategy="moving-window",
        storage_uri=elsewhere or "todo-api://",
        storage_options=options,
    )
    _leave_other_requests_alone(app)
    attempts = limiter.limit(config.auth_rate_limit)

    def describe(response: Response) -> Response:
        limit = limiter.current_limit
        return _describe(response, limit) if limit else response

    def limited(view: Any) -> Any:
        counted = attempts(view)

        @wraps(view)
        def attempt() -> Any:
            after_this_request(describe)
            return counted()

        return attempt

    for endpoint in endpoints:
        app.view_functions[endpoint] = limited(app.view_functions[endpoint])
    app.register_error_handler(RateLimitExceeded, _refuse)
    app.register_error_handler(StorageError, lambda error: problems.answer(Problem("unavailable")))


def _leave_other_requests_alone(app: Flask) -> None:
    """Take flask-limiter's hooks out: a limited view asks it by its decorator, the others never need to.

    They were 12 % of a get.
    """
    for hooks in (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs):
        everywhere: list[Any] = hooks[None]
        everywhere[:] = [
            hook
            for hook in everywhere
            if not getattr(hook, "func", hook).__module__.startswith("flask_limiter")
        ]


def _describe(response: Response, limit: RequestLimit) -> Response:
    """Tell the client what is left of its limit."""
    try:
        reset_at, remaining = limit.window
    except (Unavailable, StorageError):
        return response  # the attempt itself was counted and answered
    # Never more than a window, whatever the database's clock says.
    wait_s = max(1, min(limit.limit.get_expiry(), math.ceil(reset_at - time.time())))
    response.headers["X-RateLimit-Limit"] = str(limit.limit.amount)
    response.headers["X-RateLimit-Remaining"] = str(max(0, remaining))
    response.headers["X-RateLimit-Reset"] = str(wait_s)
    if response.status_code == RateLimitExceeded.code:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _refuse(error: RateLimitExceeded) -> Response:
    events.record("rate_limited", request.endpoint)
    return problems.answer(Problem("rate-limited", headers={"Retry-After": "60"}))
