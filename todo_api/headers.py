"""Headers that every answer carries."""

from flask import Flask, Response, request

from todo_api import request_id
from todo_api.config import Config

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
UNLESS_SET = {"Content-Security-Policy": API_POLICY, "Cache-Control": "no-store"}
HSTS = "max-age=31536000"


def init_app(app: Flask, config: Config) -> None:
    """Add what is not there yet: a page may have a policy and a lifetime of its own."""

    @app.after_request
    def complete(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-ID"] = request_id.current()
        headers.update(ALWAYS)
        for name, value in UNLESS_SET.items():
            headers.setdefault(name, value)
        if request.is_secure:
            headers["Strict-Transport-Security"] = HSTS
        if config.cors_origins:
            # also where no origin was sent: caches must not mix them up
            response.vary.add("Origin")
        return response
