"""waitress's channel, one connection: the client's deadlines, how it ends, what the event loop sends."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.utilities import BadRequest  # type: ignore[import-untyped]

from todo_api.server.deadlines import AnswerProgress, Deadline
from todo_api.server.machine import discard_unsent
from todo_api.server.request_parser import RequestParser
from todo_api.server.responses import AppTask, ProblemTask

LINGER_SECONDS = 2.0


class TooSlow(BadRequest):  # type: ignore[misc]
    """Why a request is refused that has not arrived in time."""

    code = 408


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    task_class = AppTask
    error_task_class = ProblemTask
    parser_class = RequestParser
    request: Any  # the one that has not arrived whole yet, or None
    _lingers_until: float | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        self._deadline = Deadline()
        self._answers = AnswerProgress()
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
        # What came since the event loop last polled: while the loop closes a thousand other connections
        # (50 µs each), a whole request may arrive.
        with contextlib.suppress(OSError):  # nothing has come, or the client is gone
            return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return False

    def _has_part_of_request(self) -> bool:
        # Some clients send an empty line after a body: that is no part of a request.
        part = self.request
        return part is not None and bool(part.headers_finished or part.header_plus.strip())

    def check_deadline(self, now: float, seconds: float) -> None:
        """Refuse a request that is not complete in time, end a connection whose answer is not taken.

        The server calls this about once a second, in the event loop's thread. While a request runs nothing
        is read from its connection, so the client that sends the next request is not late.
        """
        awaited: Any = self._answers.awaited(self.socket, self.total_outbufs_len)
        reads = not self.requests and not self.close_when_flushed
        if awaited is None and reads and self._has_part_of_request():
            awaited = self.request
        if not self._deadline.is_over(awaited, now, seconds):
            return
        if awaited is not self.request:
            # Not by will_close: the loop would wait until it can write to a client that takes nothing.
            discard_unsent(self.socket)
            self.handle_close()
            return
        with self.requests_lock:  # from here on as received() does with a request that has an error
            self.request.error = TooSlow("")
            self.request.completed = True
            self.requests.append(self.request)
            self.request = None
            self.server.add_task(self)

    def writable(self) -> bool:
        """Whether the event loop has to send (or close) here.

        While a request runs, its own thread sends. waitress's loop would try to send that output too:
        the socket is writable, but the thread holds the lock. So the loop would go through all channels as
        fast as it can, and take the GIL from the very thread that it waits for. The loop only has to send
        when the thread waits for it, from the high watermark on (the thread is woken below it). What a
        thread could not send, the loop sends when the request has ended.

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
        # The last answer. If we close while the client still sends (a body that was refused, the next
        # request), the kernel sends a reset, which can destroy an answer that the client has not read yet.
        # So only our direction is closed. What still comes is read and thrown away (received() checks
        # close_when_flushed) until the client closes too.
        self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif self.connected and not self.total_outbufs_len and self._lingers_until is None:
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client is gone
                self.handle_close()
