"""waitress's channel, one connection: the client's deadlines, the close, and what the event loop sends."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from typing import Any

from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.utilities import BadRequest  # type: ignore[import-untyped]

from todo_api.processes.machine import discard_unsent, keep_unsent_here
from todo_api.server.buffers import Shared
from todo_api.server.deadlines import AnswerProgress, Deadline
from todo_api.server.request_parser import RequestParser
from todo_api.server.responses import AppTask, ProblemTask
from todo_api.web.unsent import CONTENT, LARGE

LINGER_SECONDS = 2.0

logger = logging.getLogger("todo_api.server")


class TooSlow(BadRequest):  # type: ignore[misc]
    """The error of a request that did not arrive in time."""

    code = 408


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    task_class = AppTask
    error_task_class = ProblemTask
    parser_class = RequestParser
    request: Any  # the request that has not arrived completely yet, or None
    _lingers_until: float | None = None
    _waits_for_reader = False
    _sends_large = False

    def __init__(self, *args: Any, **more: Any) -> None:
        self._deadline = Deadline()
        self._answers = AnswerProgress()
        super().__init__(*args, **more)

    @property
    def last_activity(self) -> float:
        """When something was last received or sent, by the monotonic clock."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, _: float) -> None:
        self._active_at = time.monotonic()  # waitress sets time.time(), which may step

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent: int = super().send(data, do_close=do_close)
        self._answers.count(sent)
        return sent

    def write_soon(self, data: bytes) -> int:
        """Take a part of an answer from the request's thread; a large part is not copied."""
        if len(data) < LARGE:
            return super().write_soon(data)  # type: ignore[no-any-return]
        if not self._sends_large:
            self._sends_large = True
            keep_unsent_here(self.socket)
        content = self.requests[0].environ.get(CONTENT)
        return super().write_soon(Shared(data, content))  # type: ignore[no-any-return]

    def must_read_first(self) -> bool:
        """Whether the next request waits until the client has read more of an answer; then the loop adds it.

        A connection holds one large answer at most. waitress would keep the thread of the next request
        waiting: a few connections with two requests each would hold all threads.
        """
        with self.outbuf_lock:
            self._waits_for_reader = self.total_outbufs_len >= LARGE
            return self._waits_for_reader

    def executes(self) -> bool:
        """Whether a thread executes a request, or will soon; not while the client has to read first."""
        return bool(self.requests) and not self._waits_for_reader

    def ends_with_this_answer(self) -> bool:
        """True during the drain, unless the client has already sent (part of) another request."""
        return self.server.draining and len(self.requests) == 1 and not self._has_part_of_request()

    def is_idle(self) -> bool:
        """Whether no request is being received or executed, and no answer is being sent."""
        busy = self.requests or self.total_outbufs_len or self.close_when_flushed
        return not busy and not self._has_part_of_request() and not self._has_unread()

    def _has_unread(self) -> bool:
        # Bytes that came after the event loop's last poll: while the loop closes a thousand other
        # connections (50 µs each), a whole request may arrive.
        with contextlib.suppress(OSError):  # nothing has come, or the client is gone
            return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return False

    def _has_part_of_request(self) -> bool:
        # Some clients send an empty line after a body: that is no part of a request.
        part = self.request
        return part is not None and bool(part.headers_finished or part.header_plus.strip())

    def check_deadline(self, now: float, seconds: float) -> None:
        """Refuse a request that is not complete in time; close a connection whose client does not read.

        The server calls this about once a second, in the event loop's thread. While a request runs, its
        connection is not read. So a client that already sends its next request is not late.
        """
        awaited: Any = self._answers.awaited(self.socket, self.total_outbufs_len, now)
        reads = not self.requests and not self.close_when_flushed
        if awaited is None and reads and self._has_part_of_request():
            awaited = self.request
        is_over = self._deadline.is_over(awaited, now, seconds)
        if awaited is None or awaited is not self.request:
            if self._has_to_make_room():
                self._cut_off("room")
            elif is_over or self._answers.is_behind(now, seconds):
                self._cut_off("slow")
            return
        if not is_over:
            return
        with self.requests_lock:  # the same as received() does with a request that has an error
            self.request.error = TooSlow("")
            self.request.completed = True
            self.requests.append(self.request)
            self.request = None
            self.server.add_task(self)

    def _has_to_make_room(self) -> bool:
        contents = [one.content for one in self.outbufs if isinstance(one, Shared)]
        return any(content is not None and content.is_given_up for content in contents)

    def _cut_off(self, reason: str) -> None:
        logger.info(
            "closed the connection of %s, which read its answer too slowly (%s): %d bytes were not sent",
            self.addr[0],
            reason,
            self.total_outbufs_len,
        )
        if self.server.metrics is not None:
            self.server.metrics.count_cut_off(reason)
        # Not by will_close: the loop would wait until it can write, but this client reads nothing.
        discard_unsent(self.socket)
        self.handle_close()

    def writable(self) -> bool:
        """Whether the event loop has to send (or close) here.

        While a request runs, its own thread sends the output. waitress's loop would try to send it too: the
        socket is writable, but the thread holds the lock. The loop would then poll without a pause, and take
        the GIL from the thread that it waits for. After the request has ended, the loop sends what the thread
        could not send.

        Measured on 2 cores with a small Flask answer and send_bytes=1: 1 403 requests/s became 3 158 at
        16 connections, 1 085 became 3 012 at 128. With this service's send_bytes, threads send only answers
        from 16 KiB on; for these the gain is 0 to 25 %.
        """
        if self._lingers_until is not None:
            return bool(self.will_close)
        if self.requests and not self._waits_for_reader:
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
            if self._waits_for_reader and self.connected and not self.must_read_first():
                self.server.add_task(self)
            return
        if self.requests:  # the thread is about to clear the list
            return
        # The last answer. If the server closes while the client still sends (a refused body, the next
        # request), the kernel sends a reset, which can destroy an answer that the client has not read yet.
        # So only the sending direction is closed. What still arrives is read and discarded (received()
        # checks close_when_flushed) until the client closes too.
        self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif self.connected and not self.total_outbufs_len and self._lingers_until is None:
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client is gone
                self.handle_close()
