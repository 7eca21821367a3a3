"""waitress's channel and tasks, with this project's error answers and a calm event loop."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from http import HTTPMethod, HTTPStatus
from typing import Any
from urllib.parse import quote

from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.task import ErrorTask, WSGITask  # type: ignore[import-untyped]
from waitress.utilities import BadRequest, build_http_date  # type: ignore[import-untyped]

from todo_api.observability.logs import log_request
from todo_api.server.deadlines import Answers, Deadline, discard
from todo_api.server.request_parser import RequestParser
from todo_api.web.headers import ALWAYS, UNLESS_SET
from todo_api.web.problems import CODES, MEDIA_TYPE, Problem, document
from todo_api.web.request import HASHING_WAITS, chosen_id

LINGER_SECONDS = 2.0

# What waitress refuses before the application sees it; its 501 (another transfer encoding than
# chunked) is a 400 here, one code fewer to explain.
_CODES = {
    408: "request-timeout",
    413: "payload-too-large",
    431: "headers-too-large",
    500: "internal-error",
}

_URI = "/:@!$&'()*+,;=~-._%"
_ID_LINE = re.compile(rb"\r\nX-Request-ID:[ \t]*([A-Za-z0-9._-]{1,128})[ \t]*\r\n", re.I)


class TooSlow(BadRequest):  # type: ignore[misc]
    """What a request is refused with that has not arrived in time."""

    code = 408


class AppTask(WSGITask):  # type: ignore[misc]
    """One answer of the application: says when it is the connection's last."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[HASHING_WAITS] = self.channel.server.task_dispatcher.hashing_waits
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.ends_with_this_answer():
            # As if the client had asked for it; waitress does the rest, for HTTP/1.0 and 1.1.
            self.request.headers["CONNECTION"] = "close"
        if self.version == "1.1" and "CONNECTION" not in self.request.headers:
            # To a client that stays, and with a length (which the application gave, or else waitress adds
            # it): nothing to find out about the connection. waitress spells each name anew and sorts
            # them, 3 µs a header.
            lines = [f"{name}: {value}\r\n" for name, value in self.response_headers]
            head = f"HTTP/1.1 {self.status}\r\n{''.join(lines)}"
            if "\r\nContent-Length: " in head:
                return f"{head}Date: {build_http_date(self.start_time)}\r\n\r\n".encode("latin-1")
        header: bytes = super().build_response_header()
        return header

    def set_close_on_finish(self) -> None:
        # waitress closes after every answer that has no length, 204 and 304 too, though these end
        # with their head. A client would have to connect again after each DELETE.
        asked = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or asked or self.version == "1.0":
            super().set_close_on_finish()


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """The server's own refusals, and a 500 for an application that raised, as problem documents."""

    def execute(self) -> None:
        error = self.request.error
        name = _CODES.get(error.code, "malformed-request")
        code = CODES[name]
        detail = None
        if name == "malformed-request":
            # The parser's reason helps; what it quotes from the request after it does not.
            reason = error.body.partition(' "')[0].rstrip(".")
            detail = f"This is not HTTP as the server reads it: {reason}."
        # When the application raised, self.request is a stand-in that knows nothing of the request.
        request = self.channel.requests[0]
        method, path = _request_line(request)
        found_id = chosen_id(_sent_id(request))
        body = document(Problem(name, detail), path, found_id)
        self.status = f"{code.status} {HTTPStatus(code.status).phrase}"
        own = {"Content-Type": MEDIA_TYPE, "X-Request-ID": found_id}
        self.response_headers.extend((own | ALWAYS | UNLESS_SET).items())
        log_request(
            method=method if method in HTTPMethod.__members__ else None,  # not any word
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


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    task_class = AppTask
    error_task_class = ProblemTask
    parser_class = RequestParser
    request: Any  # the one that has not arrived whole yet, or None
    _lingers_until: float | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        self._deadline = Deadline()
        self._answers = Answers()
        super().__init__(*args, **more)

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent: int = super().send(data, do_close=do_close)
        self._answers.count(sent)
        return sent

    def ends_with_this_answer(self) -> bool:
        """During the drain, unless the client has already sent (part of) another request."""
        return self.server.draining and len(self.requests) == 1 and not self._has_part_of_request()

    def is_idle(self) -> bool:
        """Nothing to read, nothing read, nothing running, nothing left to send."""
        busy = self.requests or self.total_outbufs_len or self.close_when_flushed
        return not busy and not self._has_part_of_request() and not self._has_unread()

    def _has_unread(self) -> bool:
        # What came since the event loop has looked: while it hangs up on a thousand others (50 µs
        # each) that may be a whole request.
        with contextlib.suppress(OSError):  # nothing has come, or the client is gone
            return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return False

    def _has_part_of_request(self) -> bool:
        # Some clients send an empty line after a body: that is no beginning of anything.
        part = self.request
        return part is not None and bool(part.headers_finished or part.header_plus.strip())

    def look_at_the_clock(self, now: float, seconds: float) -> None:
        """Refuse a request that is not whole in time, end a connection whose answer is not taken.

        The server calls this about once a second, in the event loop's thread. While a request runs
        nothing is read, so the client of the next one is not late.
        """
        awaited: Any = self._answers.awaited(self.socket, self.total_outbufs_len)
        reads = not self.requests and not self.close_when_flushed
        if awaited is None and reads and self._has_part_of_request():
            awaited = self.request
        if not self._deadline.is_over(awaited, now, seconds):
            return
        if awaited is not self.request:
            # Not by will_close: the loop would wait until it can write to whoever takes nothing.
            discard(self.socket)
            self.handle_close()
            return
        with self.requests_lock:  # from here as received() goes on with a request that is broken
            self.request.error = TooSlow("")
            self.request.completed = True
            self.requests.append(self.request)
            self.request = None
            self.server.add_task(self)

    def writable(self) -> bool:
        """Whether the event loop has to send (or close) here.

        While a request runs, its own thread sends. waitress counts that output as the loop's too:
        the socket is writable, the thread holds the lock, so the loop turns over all channels as
        fast as it can and takes the interpreter from the very thread it waits for. The loop has to
        help only when the thread waits for it, at the high watermark (not above: the thread is
        woken below it). What a thread could not send the loop takes up when the request ends.

        Measured on 2 cores with a small Flask answer and send_bytes=1: 1 403 requests/s became
        3 158 at 16 connections, 1 085 became 3 012 at 128. With our send_bytes only answers from
        16 KiB on are sent by threads; there it is a gain of 0 to 25 %.
        """
        if self._lingers_until is not None:
            return bool(self.will_close)
        if self.requests and self.total_outbufs_len < self.adj.outbuf_high_watermark:
            return bool(self.will_close or self.close_when_flushed)
        return bool(super().writable())

    def readable(self) -> bool:
        if self._lingers_until is None:
            return bool(super().readable())
        if time.monotonic() >= self._lingers_until:
            self.will_close = True
        return not self.will_close

    def handle_write(self) -> None:
        if self.will_close or not self.close_when_flushed:
            super().handle_write()
            return
        if self.requests:  # the thread is about to clear them
            return
        # The last answer. Closing while the client still sends (a body that was refused, the next
        # request) would make the kernel send a reset, and that can destroy an answer that the
        # client has not read yet. So only this side ends, and what still comes is read and thrown
        # away (by received(), which looks at close_when_flushed) until the client ends too.
        self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif self.connected and not self.total_outbufs_len and self._lingers_until is None:
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client is gone
                self.handle_close()


def _request_line(request: Any) -> tuple[str, str]:
    """Method and path, as far as the client's first line can be read: "" and "/" otherwise."""
    head = _unread_head(request) or getattr(request, "first_line", b"")
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    return method, quote(path, safe=_URI) if path.startswith("/") else "/"


def _sent_id(request: Any) -> str:
    """The client's X-Request-ID, also from a head that was not read to its end; "" when there is none."""
    found = _ID_LINE.search(_unread_head(request))
    return found[1].decode("ascii") if found else request.headers.get("X_REQUEST_ID", "")


def _unread_head(request: Any) -> bytes:
    """What has come of a head that was given up, too large or too late; nothing of one that was read."""
    too_large = request.error is not None and request.error.code == 431
    # waitress replaces the head of a request that is too large with one of its own.
    head: bytes = request.header_plus if too_large or not request.headers_finished else b""
    return head.lstrip()
