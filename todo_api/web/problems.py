"""Error answers: all of them have one format (RFC 9457) and are made here."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from todo_api.database.calls import Unavailable
from todo_api.web.problem_codes import CODES
from todo_api.web.request import current_request
from todo_api.web.response import Response
from todo_api.web.schemas import FieldError, ProblemAnswer

logger = logging.getLogger("todo_api.problems")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1  # after a 503
_ALL_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"  # each of some path


class Problem(Exception):
    """A failure that the client is told about; `detail` replaces the code's usual one.

    `current` is what is there instead of what the client expected.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        current: msgspec.Struct | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.current = current


def answer(problem: Problem) -> Response:
    """The response of a problem."""
    code = CODES[problem.code]
    headers = dict(problem.headers)
    if code.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if code.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    request = current_request()
    root = request.script_root
    instance = root + quote(request.path, safe="/:@!$&'()*+,;=~-._")
    body = document(problem, instance, request.id, root)
    return Response(body, code.status, headers, content_type=MEDIA_TYPE)


def document(problem: Problem, instance: str, request_id: str, root: str = "") -> bytes:
    """The problem document of a request for the path `instance`; `root` is what precedes every path."""
    code = CODES[problem.code]
    return msgspec.json.encode(
        ProblemAnswer(
            type=f"{root}/problems#{problem.code}",
            title=code.title,
            status=code.status,
            detail=problem.detail or code.detail,
            instance=instance,
            code=problem.code,
            request_id=request_id,
            errors=problem.errors or msgspec.UNSET,
            current=problem.current or msgspec.UNSET,
        )
    )


def init_app(app: Flask) -> None:
    """Register an answer for every exception that a request can raise."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _bug)


def _unavailable(error: Unavailable) -> Response:
    logger.warning("unavailable: %s", error)
    return answer(Problem("unavailable"))


def _http_exception(error: HTTPException) -> Any:
    """Flask's and werkzeug's own refusals: unknown routes, wrong methods, redirects, …"""
    if isinstance(error, MethodNotAllowed):
        allow = ", ".join(sorted(error.valid_methods or ()))
        return answer(Problem("method-not-allowed", headers={"Allow": allow}))
    if error.code == HTTPStatus.NOT_FOUND:
        if _asks_about_the_server():
            return Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": _ALL_METHODS})
        return answer(Problem("not-found"))
    if error.code is not None and error.code < HTTPStatus.BAD_REQUEST:
        return error.get_response()
    if error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer(Problem("malformed-request", "The request could not be understood."))
    return _bug(error)


def _asks_about_the_server() -> bool:
    """Whether the request is `OPTIONS *` (RFC 9110, 9.3.7), which no route can stand for."""
    request = current_request()
    return request.method == "OPTIONS" and request.environ.get("PATH_INFO") == "*"


def _bug(error: Exception) -> Response:
    """An unexpected exception: the log has the traceback, the client gets no internal detail."""
    logger.error("bug: %s", type(error).__name__, exc_info=error)
    return answer(Problem("internal-error"))
