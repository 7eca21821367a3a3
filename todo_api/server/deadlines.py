"""How long a client may take: to send the rest of a request, and to take its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from todo_api.server.machine import unsent_bytes

if TYPE_CHECKING:
    import socket

# What a client has to take of an answer within the time: 4 KiB/s at the default of 15 s. A slower client
# holds memory (and, with pipelined requests, a thread) by taking byte after byte.
LEAST_BYTES = 64 * 1024


class Deadline:
    """When a connection's client is too late. One check costs 3 µs.

    waitress only knows how long nothing at all has come or gone: with one byte now and then a client keeps
    its connection for ever. Checks come about once a second, so a request costs nothing: the first check
    after the service began to wait starts the clock, which runs while each check finds the same wait.
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
    """How far a connection's client has come with taking its answers."""

    def __init__(self) -> None:
        self._sent = 0
        self._next = 0

    def count(self, sent: int) -> None:
        """Note that the kernel took `sent` bytes."""
        self._sent += sent

    def awaited(self, connection: socket.socket, unsent: int) -> int | None:
        """How many bytes the client has to have taken next; None when it has taken all.

        The number stays the same until the client reaches it. The number of bytes left would not do: on a
        connection that is busy all the time it may be the same small answer's size at each check. Bytes in
        the kernel's buffer count as not taken: the kernel takes megabytes at once, so only then does the
        steady progress of a slow client show, and an answer that left us whole but that nobody takes.
        (TCP_USER_TIMEOUT, tried, also ends a client that steadily reads 20 KB/s.)
        """
        left = unsent + unsent_bytes(connection)
        if not left:
            return None
        taken = self._sent - (left - unsent)
        if taken >= self._next:
            self._next = taken + min(left, LEAST_BYTES)
        return self._next
