"""The rate limit of signup and login: flask-limiter, counting in PostgreSQL or Redis."""

import math
import time
from collections.abc import Collection
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from flask import Flask, Response, after_this_request
from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from limits.errors import StorageError

from todo_api.auth import events
from todo_api.auth.rate_limit_storage import SCHEME
from todo_api.database.calls import Unavailable
from todo_api.database.data import Database
from todo_api.settings.config import Config
from todo_api.web import problems
from todo_api.web.problems import Problem
from todo_api.web.request import current_request

IPV6_PREFIX = 64  # a subscriber has at least that (RFC 6177), and can change addresses within it


def client() -> str:
    """What attempts are counted by: the client's IPv4 address, or its IPv6 /64."""
    address = ip_address(current_request().remote_addr or "::")
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def init_app(app: Flask, config: Config, database: Database, endpoints: Collection[str]) -> None:
    """Limit `endpoints`, counting in PostgreSQL or where RATELIMIT_STORAGE_URI says."""
    elsewhere = config.ratelimit_storage_uri
    options: dict[str, Any] = {"wrap_exceptions": True} if elsewhere else {"database": database}
    hooks: tuple[dict[Any, list[Any]], ...] = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
    )
    ours = [list(functions[None]) for functions in hooks]
    limiter = Limiter(
        client,
        app=app,
        strategy="moving-window",
        storage_uri=elsewhere or f"{SCHEME}://",
        storage_options=options,
    )
    # Take flask-limiter's own hooks out again: a limited view calls the limiter by its decorator, and the
    # other views never need it. They were 12 % of a get.
    for functions, kept in zip(hooks, ours, strict=True):
        functions[None][:] = kept
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
    events.record("rate_limited", current_request().endpoint)
    return problems.answer(Problem("rate-limited", headers={"Retry-After": "60"}))
