"""Log lines: JSON for machines, text for a terminal, one line for each request."""

import json
import logging
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Response

from todo_api.database.calls import ApiClient, Caller
from todo_api.observability.routes import route_name
from todo_api.web.request import current_request

# Libraries whose log lines only repeat what this service logs itself.
_QUIET = ("yoyo", "flask-limiter", "psycopg", "waitress.queue")

access = logging.getLogger("todo_api.access")


class JsonFormatter(logging.Formatter):
    """One JSON object per line; text from a client can't start a new line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}+00:00",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        with suppress(UnicodeEncodeError):  # a lone surrogate
            text = msgspec.json.encode(line, enc_hook=str)  # 0.6 µs; json takes 5
            if text.isascii():
                return text.decode()
        # json escapes the characters that some programs read as the end of a line
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Short lines for people; control characters are escaped, so that they don't affect the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, with a traceback below it if there is one."""
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = getattr(record, "fields", {}).items()
        words = [record.getMessage(), *(f"{k}={v}" for k, v in fields if v is not None)]
        lines = [f"{moment} {record.levelname:<7} {_visible(' '.join(words))}"]
        if record.exc_info:
            lines += map(_visible, self.formatException(record.exc_info).split("\n"))
        return "\n".join(lines)


@lru_cache(1)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def setup(level: str, form: str | None) -> None:
    """Send all log lines to standard error; without `form`, as text to a terminal and as JSON elsewhere.

    `level` is for the service's own loggers. Libraries log only WARNING and above: some of them log SQL and
    headers at DEBUG. With DEBUG the connection pool also logs each connection that it opens or closes.
    """
    handler = logging.StreamHandler()
    text = form == "text" or (form is None and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    libraries = "WARNING" if level in ("DEBUG", "INFO") else level
    logging.basicConfig(level=libraries, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("todo_api").setLevel(level)
    logging.getLogger("psycopg.pool").setLevel("INFO" if level == "DEBUG" else libraries)
    # No format uses these fields, and without them a line takes a tenth less time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def log_request(
    *,
    method: str | None,
    route: str | None,
    status: int,
    ms: float | None,
    request_id: str,
    user_id: str | None,
    address: str | None,
    token: str | None = None,
    auth_event: str | None = None,
) -> None:
    """Write the line of a request; None is for a value that the server does not know."""
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "ms": ms,
        "request_id": request_id,
        "user_id": user_id,
        "address": address,
    }
    if token:
        fields["token"] = token
    if auth_event:
        fields["auth_event"] = auth_event
    if access.isEnabledFor(logging.INFO):
        # Not through info(), which looks up the line of code that called it: no format uses that.
        record = logging.LogRecord(access.name, logging.INFO, "", 0, "request", None, None)
        record.fields = fields
        access.handle(record)


def log_answer(response: Response) -> None:
    """Write the line of the request that `response` answers."""
    request = current_request()
    rule = request.url_rule
    # Of a failure it is not known whether the database came to find the token.
    is_known = response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or not request.is_unproven
    who = request.signed_in if is_known else None
    log_request(
        method=request.method,
        route=route_name(rule.rule) if rule else None,
        status=response.status_code,
        ms=round((time.perf_counter() - request.began) * 1000, 2),
        request_id=request.id,
        user_id=who.user_id if who else None,
        address=request.remote_addr,
        token=_kind_of_token(who),
        auth_event=request.auth_event(response.status_code),
    )


def _kind_of_token(who: Caller | None) -> str | None:
    """`session`, or an API token's scope and id."""
    if isinstance(who, ApiClient):
        return f"{'write' if who.may_write else 'read'} {who.token_id}"
    return "session" if who else None
