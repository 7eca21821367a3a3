"""Headers that every answer carries, and those that let scripts of other origins read it."""

from collections.abc import Callable

from flask import Response
from flask_cors import cross_origin

from todo_api.settings.config import Config
from todo_api.web.request import current_request

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
API_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
UNLESS_SET = {"Content-Security-Policy": API_POLICY, "Cache-Control": "no-store"}
_ALL = [*ALWAYS.items(), *UNLESS_SET.items()]
HSTS = "max-age=31536000"
PREFLIGHT_S = 7200  # as long as Chromium keeps one


def completer(config: Config) -> Callable[[Response], Response]:
    """A function that adds the missing headers: a page may have a policy and a lifetime of its own."""

    @cross_origin(
        origins=list(config.cors_origins),
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID",
        ],
        expose_headers=[
            "X-Request-ID", "Location", "ETag", "Idempotent-Replayed", "Link", "Retry-After",
            "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
        ],
        max_age=PREFLIGHT_S,
        supports_credentials=False,
        automatic_options=False,
    )  # fmt: skip
    def for_listed_origins(response: Response) -> Response:
        return response

    def complete(response: Response) -> Response:
        request, headers = current_request(), response.headers
        own = {name for name, _ in headers}
        headers.add("X-Request-ID", request.id)
        for name, value in _ALL:
            if name not in own:
                headers.add(name, value)
        if request.is_secure:
            headers["Strict-Transport-Security"] = HSTS
        if config.cors_origins:
            # also where no Origin was sent, or a cache would answer one origin with another's copy
            response.vary.add("Origin")
            if request.headers.get("Origin"):
                response = for_listed_origins(response)
        return response

    return complete
