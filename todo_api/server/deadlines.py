"""How long a client may take to send the rest of a request, and to read its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from todo_api.processes.machine import unsent_bytes

if TYPE_CHECKING:
    import socket

# What a client has to read of an answer within the timeout: 4 KiB/s at the default of 15 s. A client that
# reads byte by byte would hold memory and, with pipelined requests, a thread.
LEAST_BYTES = 64 * 1024
# The same over the whole answer, on average: 16 KiB/s. A client may pause, but it can't hold 22 MB for longer
# than 24 minutes; at 4 KiB/s it would be 90. People on a slow mobile network have 20 to 50 KB/s.
AVERAGE_BYTES = 240 * 1024


class Deadline:
    """Whether a connection's client is too late. One check takes 3 µs.

    waitress has only an idle timeout: a client that sends one byte now and then keeps its connection for
    ever. Checks run about once a second, so requests cost nothing. The first check that finds the service
    waiting starts the clock. The clock runs while every check finds it waiting for the same thing.
    """

    def __init__(self) -> None:
        self._awaited: object = None
        self._since = 0.0

    def is_over(self, awaited: object, now: float, seconds: float) -> bool:
        """Whether the service has waited for `awaited` for `seconds`.

        `awaited` is None when the service waits for nothing, and a new value after progress.
        """
        if awaited is None or awaited != self._awaited:
            self._awaited, self._since = awaited, now
            return False
        return now - self._since >= seconds


class AnswerProgress:
    """How many bytes of its answers a connection's client has read."""

    def __init__(self) -> None:
        self._sent = 0
        self._taken = 0
        self._next = 0
        # What was unsent when the clock of the whole answer started: from where, up to where, since when.
        self._began_at = 0
        self._ends_at = 0
        self._since = 0.0

    def count(self, sent: int) -> None:
        """Count `sent` bytes that the kernel took."""
        self._sent += sent

    def awaited(self, connection: socket.socket, unsent: int, now: float) -> int | None:
        """The total number of bytes that the client has to read next; None when it has read everything.

        The total stays the same until the client reaches it. The number of bytes left would not work: on a
        busy connection each check may find the size of the same small answer. Bytes in the kernel's buffer
        count as unread, because the kernel takes megabytes at once. If they counted as read, a slow client
        would seem to make no progress, and an answer that is only in the buffer would seem read.
        (TCP_USER_TIMEOUT was tried: it also ends a client that steadily reads 20 KB/s.)
        """
        left = unsent + unsent_bytes(connection)
        self._taken = self._sent - (left - unsent)
        if self._taken >= self._ends_at:
            self._began_at, self._ends_at, self._since = self._taken, self._taken + left, now
        if not left:
            return None
        if self._taken >= self._next:
            self._next = self._taken + min(left, LEAST_BYTES)
        return self._next

    def is_behind(self, now: float, seconds: float) -> bool:
        """Whether the client has read less than AVERAGE_BYTES for each `seconds` but the first."""
        allowed = (now - self._since) / seconds - 1
        return self._taken - self._began_at < min(
            allowed * AVERAGE_BYTES, self._ends_at - self._began_at
        )
