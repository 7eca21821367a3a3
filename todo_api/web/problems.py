"""Every answer that is an error: one shape (RFC 9457), one table of codes, one place that makes them."""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from todo_api.database.data import Unavailable
from todo_api.web.current import request
from todo_api.web.response import Response
from todo_api.web.schemas import FieldError, ProblemAnswer

logger = logging.getLogger("todo_api.problems")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1  # after a 503


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of failure: its status, its name, what it usually means and what to do about it."""

    status: int
    title: str
    detail: str
    advice: str


CODES = {
    "malformed-request": Code(
        400,
        "Malformed request",
        "The body is not well-formed JSON.",
        "Send UTF-8 without a byte-order mark, each key once, no NaN or Infinity, and not nested "
        "hundreds of levels deep; an Idempotency-Key is 1 to 255 visible ASCII characters. The detail says "
        "what went wrong, and where.",
    ),
    "unauthorized": Code(
        401,
        "Unauthorized",
        "A valid token is needed.",
        "Log in and send the token as “Authorization: Bearer …”. A token ends after 24 hours, at logout, "
        "and with its account.",
    ),
    "invalid-credentials": Code(
        401,
        "Invalid credentials",
        "The e-mail address or the password is wrong.",
        "Check both. The answer is the same for an address that has no account.",
    ),
    "forbidden": Code(
        403,
        "Forbidden",
        "The path names another user than the token.",
        "Use the user_id that signup and login gave you with this token.",
    ),
    "not-found": Code(
        404,
        "Not found",
        "There is nothing here.",
        "Check the path and the task's id. Another user's task looks like one that does not exist.",
    ),
    "method-not-allowed": Code(
        405,
        "Method not allowed",
        "This path does not know that method.",
        "The Allow header names the methods that it knows.",
    ),
    "request-timeout": Code(
        408,
        "Request timeout",
        "The request did not arrive in time.",
        "Nothing was done: send it again, on a new connection and without pauses.",
    ),
    "email-taken": Code(
        409,
        "E-mail address taken",
        "There is an account with this e-mail address.",
        "Log in instead, or sign up with another address. Letter case makes no difference.",
    ),
    "task-quota-exceeded": Code(
        409,
        "Task quota exceeded",
        "You hold as many tasks as this service allows.",
        "Delete tasks that are done with, or ask the operator to raise MAX_TASKS_PER_USER.",
    ),
    "payload-too-large": Code(
        413,
        "Payload too large",
        "The body is larger than 64 KiB.",
        "Send less: no valid body comes near that size.",
    ),
    "unsupported-media-type": Code(
        415,
        "Unsupported media type",
        "The body must be sent as application/json.",
        "Send “Content-Type: application/json”, in UTF-8 and not compressed.",
    ),
    "validation-error": Code(
        422,
        "Validation error",
        "The body is JSON, but not what this call takes.",
        "The errors member names each field and what is wrong with it.",
    ),
    "idempotency-key-reused": Code(
        422,
        "Idempotency-Key reused",
        "This Idempotency-Key was sent with another body before.",
        "Send each new task with a key of its own, such as a random UUID, and the same key only to send the "
        "same task again. A key is good for 24 hours.",
    ),
    "rate-limited": Code(
        429,
        "Too many attempts",
        "Too many attempts from this address.",
        "Wait for as many seconds as the Retry-After header says.",
    ),
    "headers-too-large": Code(
        431,
        "Headers too large",
        "The request's headers are too large.",
        "Send fewer or shorter headers, and a shorter address.",
    ),
    "internal-error": Code(
        500,
        "Internal error",
        "Something went wrong in the service.",
        "Tell the operator the request_id: the log has more under it.",
    ),
    "unavailable": Code(
        503,
        "Unavailable",
        "The service can't answer right now.",
        "Try again after as many seconds as the Retry-After header says. A change may or may not have "
        "been stored: look before you repeat it. A task that is created with an Idempotency-Key can just be "
        "sent again.",
    ),
}


class Problem(Exception):
    """A failure that the client is told about; `detail` replaces the code's usual one."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def answer(problem: Problem) -> Response:
    """The response of a problem."""
    code = CODES[problem.code]
    headers = dict(problem.headers)
    if code.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if code.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    asked = request()
    instance = quote(asked.path, safe="/:@!$&'()*+,;=~-._")
    body = document(problem, instance, asked.id)
    return Response(body, code.status, headers, content_type=MEDIA_TYPE)


def document(problem: Problem, instance: str, request_id: str) -> bytes:
    """The problem document of a request for the path `instance`."""
    code = CODES[problem.code]
    return msgspec.json.encode(
        ProblemAnswer(
            type=f"/problems#{problem.code}",
            title=code.title,
            status=code.status,
            detail=problem.detail or code.detail,
            instance=instance,
            code=problem.code,
            request_id=request_id,
            errors=problem.errors or msgspec.UNSET,
        )
    )


def init_app(app: Flask) -> None:
    """Answer every exception that a request can end with."""
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
    if isinstance(error, RequestEntityTooLarge):
        return answer(Problem("payload-too-large"))
    if error.code == HTTPStatus.NOT_FOUND:
        return answer(Problem("not-found"))
    if error.code is not None and error.code < HTTPStatus.BAD_REQUEST:
        return error.get_response()
    if error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer(Problem("malformed-request", "The request could not be understood."))
    return _bug(error)


def _bug(error: Exception) -> Response:
    """What nobody foresaw: the log has it all, the client nothing from the inside."""
    logger.error("bug: %s", type(error).__name__, exc_info=error)
    return answer(Problem("internal-error"))
