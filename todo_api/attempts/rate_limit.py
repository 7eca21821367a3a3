"""The rate limit of the calls that take a password: flask-limiter, counting in PostgreSQL or Redis."""

from collections.abc import Collection
from functools import wraps
from typing import Any

from flask import Flask, Response, after_this_request
from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from limits.errors import StorageError
from limits.storage import Storage

from todo_api.attempts import events, networks
from todo_api.attempts.storage import SCHEME
from todo_api.attempts.windows import STRATEGY, NetworkWindows
from todo_api.body.media_types import require_json
from todo_api.database.calls import Unavailable
from todo_api.database.data import Database
from todo_api.settings.config import Config
from todo_api.web import problems
from todo_api.web.problems import Problem
from todo_api.web.request import current_request


def init_app(app: Flask, config: Config, database: Database, endpoints: Collection[str]) -> Storage:
    """Limit `endpoints`, counting in PostgreSQL or where RATELIMIT_STORAGE_URI says; returns that storage."""
    elsewhere = config.ratelimit_storage_uri
    options: dict[str, Any] = {"wrap_exceptions": True} if elsewhere else {"database": database}
    hooks: tuple[dict[Any, list[Any]], ...] = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
    )
    ours = [list(functions[None]) for functions in hooks]
    limiter = Limiter(
        networks.client,
        app=app,
        strategy=STRATEGY,
        storage_uri=elsewhere or f"{SCHEME}://",
        storage_options=options,
    )
    # Remove flask-limiter's hooks again: limited views call the limiter through a decorator, and other views
    # don't need it. The hooks took 12 % of a get.
    for functions, kept in zip(hooks, ours, strict=True):
        functions[None][:] = kept
    attempts = limiter.limit(config.auth_rate_limit)

    def describe(response: Response) -> Response:
        limit = limiter.current_limit
        return _describe(response, limit) if limit else response  # None: refused before it counted

    def limited(view: Any) -> Any:
        counted = attempts(view)

        @wraps(view)
        def attempt() -> Any:
            # A page of another origin can let its visitors' browsers send what it likes, but nothing that is
            # called JSON: for that a browser asks first, and is told no. What is refused here is no attempt,
            # so the visitors, and all who share their address, keep theirs.
            require_json()
            after_this_request(describe)
            return counted()

        return attempt

    for endpoint in endpoints:
        app.view_functions[endpoint] = limited(app.view_functions[endpoint])
    app.register_error_handler(RateLimitExceeded, _refuse)
    app.register_error_handler(StorageError, lambda error: problems.answer(Problem("unavailable")))
    return limiter.storage


def _describe(response: Response, limit: RequestLimit) -> Response:
    """Tell the client what is left of its limit, in the network where the least is left."""
    windows = limit.limiter
    assert isinstance(windows, NetworkWindows)  # noqa: S101 (the strategy that was chosen)
    try:
        standing = windows.standing(limit.limit, *limit.request_args)
    except (Unavailable, StorageError):
        return response  # the attempt itself was counted and answered
    response.headers["X-RateLimit-Limit"] = str(standing.allowed)
    response.headers["X-RateLimit-Remaining"] = str(standing.remaining)
    response.headers["X-RateLimit-Reset"] = str(standing.wait_s)
    if response.status_code == RateLimitExceeded.code:
        # Refused by this limit, or by another one (of guesses) whose wait may be the longer.
        waits_s = [] if limit.breached else [int(response.headers["Retry-After"])]
        if standing.remaining == 0:
            waits_s.append(standing.wait_s)
        response.headers["Retry-After"] = str(max(waits_s, default=standing.wait_s))
    return response


def _refuse(error: RateLimitExceeded) -> Response:
    request = current_request()
    user_id = request.signed_in.user_id if request.signed_in else None
    events.record("rate_limited", request.endpoint, user_id)
    return problems.answer(Problem("rate-limited", headers={"Retry-After": "60"}))
