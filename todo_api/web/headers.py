"""The headers of every answer, with those for CORS."""

import re
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
# What pages of other origins may read beside the body.
EXPOSED = (
    "Content-Disposition", "ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After",
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID",
)  # fmt: skip
PREFLIGHT_S = 7200  # Chromium caches a preflight no longer


def completer(config: Config) -> Callable[[Response], Response]:
    """A function that adds the missing headers: a page may have set its own policy and lifetime."""

    @cross_origin(
        # Patterns, or flask-cors would take the brackets of http://[::1]:3000 for one.
        origins=[re.compile(re.escape(origin) + r"\Z") for origin in config.cors_origins],
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID",
            *config.cors_headers,
        ],
        expose_headers=EXPOSED,
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
            if request.headers.get("Origin"):
                response = for_listed_origins(response)
            # Also without an Origin, or a cache would answer one origin with another origin's copy. Once:
            # flask-cors adds another to a preflight.
            response.headers["Vary"] = ", ".join(dict.fromkeys([*response.vary, "Origin"]))
        return response

    return complete


def of_refusals(config: Config) -> Callable[[str, bool], dict[str, str]]:
    """A function that gives the headers of a refusal of the server, by its Origin and whether it is https."""

    def headers(origin: str, is_secure: bool) -> dict[str, str]:
        found = ALWAYS | UNLESS_SET
        if is_secure:
            found["Strict-Transport-Security"] = HSTS
        if config.cors_origins:
            found["Vary"] = "Origin"
        if origin in config.cors_origins:  # else a page sees no status, only that something failed
            found["Access-Control-Allow-Origin"] = origin
            found["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
        return found

    return headers
