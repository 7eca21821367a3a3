"""How long a client may keep the service waiting: for the rest of a request, and with taking its answer."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import termios

# What a client has to take of an answer within the time: 4 KiB/s at the default of 15 s. Less is a
# client that holds on to memory (and, with pipelined requests, to a thread) by taking byte after byte.
LEAST_BYTES = 64 * 1024


class Deadline:
    """When a connection's client has been waited for too long. A look at it costs 3 µs.

    waitress knows only how long nothing at all has come or gone: a byte now and then holds a
    connection for ever. Looked at about once a second, so that a request costs nothing: what is
    waited for is noticed by the first look, and the time runs while each look finds the same.
    """

    def __init__(self) -> None:
        self._awaited: object = None
        self._since = 0.0

    def is_over(self, awaited: object, now: float, seconds: float) -> bool:
        """Whether `awaited` (None: nothing; another than last time: progress) is `seconds` overdue."""
        if awaited is None or awaited != self._awaited:
            self._awaited, self._since = awaited, now
            return False
        return now - self._since >= seconds


class Answers:
    """What a connection's client has yet to take of its answers."""

    def __init__(self) -> None:
        self._sent = 0
        self._next = 0

    def count(self, sent: int) -> None:
        """So many bytes went to the kernel."""
        self._sent += sent

    def awaited(self, connection: socket.socket, unsent: int) -> int | None:
        """A mark in what was sent that the client has to reach; None when it has taken all there is.

        The mark stays until it is reached, and then is set anew: not by what is left, which may be the
        same small answer's size each second on a connection that is busy all the time. What waits in the
        kernel counts, which takes megabytes at a time: only so a slow client's steady progress shows, and
        that nobody takes an answer that has left us whole. (Not TCP_USER_TIMEOUT, tried: it ends a client
        that steadily reads 20 KB/s, too.)
        """
        queued = 0
        with contextlib.suppress(OSError):  # a platform that does not tell
            told = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
            queued = int.from_bytes(told, sys.byteorder)
        if not unsent + queued:
            return None
        taken = self._sent - queued
        if taken >= self._next:
            self._next = taken + min(unsent + queued, LEAST_BYTES)
        return self._next


def discard(connection: socket.socket) -> None:
    """Have the kernel forget, when the connection is closed, what the client has not taken."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
