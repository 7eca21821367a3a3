"""waitress's two kinds of response: the application's, and the server's own refusals as problem documents."""

from __future__ import annotations

import re
from http import HTTPMethod, HTTPStatus
from typing import Any
from urllib.parse import quote

from waitress.task import ErrorTask, WSGITask  # type: ignore[import-untyped]
from waitress.utilities import build_http_date  # type: ignore[import-untyped]

from todo_api.observability.logs import log_request
from todo_api.web.problem_codes import CODES
from todo_api.web.problems import MEDIA_TYPE, Problem, document
from todo_api.web.request import IS_REFUSED, chosen_id

# What waitress refuses before the application sees it. Its 501 (a transfer encoding other than chunked) is
# a 400 here: one code fewer to explain.
_CODES = {
    408: "request-timeout",
    413: "payload-too-large",
    431: "headers-too-large",
    500: "internal-error",
}

_URI = "/:@!$&'()*+,;=~-._%"
_LINES = {
    name: re.compile(rb"\r\n%s:[ \t]*([!-~]{1,256})[ \t]*\r\n" % name.encode(), re.I)
    for name in ("X-Request-ID", "Origin", "X-Forwarded-Proto")
}


class AppTask(WSGITask):  # type: ignore[misc]
    """One answer of the application, with Connection: close if it is the connection's last."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        # waitress would take leading slashes away: //api/auth/login would be another spelling of a path.
        environ["PATH_INFO"] = self.request.routed_path
        environ[IS_REFUSED] = self.request.is_refused
        self.request.environ = environ
        return environ

    def write(self, data: bytes | memoryview) -> None:
        """Send a part of the body."""
        if isinstance(data, memoryview):
            # A part of a large answer. waitress would compare its bytes, one by one.
            if not self.wrote_header:
                super().write(b"")
            self.content_bytes_written += len(data)
            self.channel.write_soon(data)
        else:
            super().write(data)

    def build_response_header(self) -> bytes:
        if self.channel.ends_with_this_answer():
            # As if the client had sent this header; waitress does the rest, for HTTP/1.0 and 1.1.
            self.request.headers["CONNECTION"] = "close"
        if self.version == "1.1" and "CONNECTION" not in self.request.headers:
            # The usual case: the connection stays open, and the application has set the length (otherwise
            # waitress adds one below). waitress would normalise and sort the names, 3 µs a header.
            lines = [f"{name}: {value}\r\n" for name, value in self.response_headers]
            head = f"HTTP/1.1 {self.status}\r\n{''.join(lines)}"
            if "\r\nContent-Length: " in head:
                return f"{head}Date: {build_http_date(self.start_time)}\r\n\r\n".encode("latin-1")
        header: bytes = super().build_response_header()
        return header

    def set_close_on_finish(self) -> None:
        # waitress closes the connection after every answer without a length. 204 and 304 have none and end
        # after the head: a client would have to reconnect after each DELETE.
        wants = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or wants or self.version == "1.0":
            super().set_close_on_finish()


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """The server's own refusals, and a 500 when the application raised, as problem documents."""

    def execute(self) -> None:
        error = self.request.error
        name = _CODES.get(error.code, "malformed-request")
        code = CODES[name]
        detail = None
        if name == "malformed-request":
            # The parser's reason, without the part of the request that it quotes.
            reason = error.body.partition(' "')[0].rstrip(".")
            detail = f"This is not HTTP as the server reads it: {reason}."
        # When the application raised, self.request is a placeholder without the request's data.
        request = self.channel.requests[0]
        method, path = _request_line(request)
        found_id = chosen_id(_sent(request, "X-Request-ID"))
        body = document(Problem(name, detail), path, found_id)
        self.status = f"{code.status} {HTTPStatus(code.status).phrase}"
        own = {"Content-Type": MEDIA_TYPE, "X-Request-ID": found_id}
        entrance = self.channel.server.entrance
        is_secure = entrance.is_secure(self.channel.addr[0], _sent(request, "X-Forwarded-Proto"))
        others = entrance.refusal_headers(_sent(request, "Origin"), is_secure)
        self.response_headers.extend((own | others).items())
        log_request(
            method=method if method in HTTPMethod.__members__ else None,  # not any word of a client
            route=None,
            status=code.status,
            ms=None,
            request_id=found_id,
            user_id=None,
            address=self.channel.addr[0],
        )
        if self.channel.server.metrics is not None:
            self.channel.server.metrics.count_server_refusal(code.status)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if method == "HEAD" else body)


def _request_line(request: Any) -> tuple[str, str]:
    """Method and path, as far as the client's first line can be read: "" and "/" otherwise."""
    head = _unread_head(request) or getattr(request, "first_line", b"")
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    return method, quote(path, safe=_URI) if path.startswith("/") else "/"


def _sent(request: Any, name: str) -> str:
    """A header of the client, also from a head that was not read to its end; "" when there is none."""
    found = _LINES[name].search(_unread_head(request))
    if found:
        return found[1].decode("ascii")
    return str(request.headers.get(name.upper().replace("-", "_"), ""))


def _unread_head(request: Any) -> bytes:
    """The received part of a head that was too large or too late; empty for a head that was read."""
    too_large = request.error is not None and request.error.code == 431
    # waitress replaces the head of a too large request with its own text.
    head: bytes = request.header_plus if too_large or not request.headers_finished else b""
    return head.lstrip()
