"""Which request gets the next free thread: one that hashes a password waits behind all others."""

from __future__ import annotations

from collections import deque
from typing import Any

from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

HASHING = {"/api/auth/signup", "/api/auth/login"}


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """waitress's threads. About a half of them may hash, and only while no other request waits.

    In a single line a storm of logins stands in front of every task: 200 at once, and the p95 of
    tasks was 142 to 328 ms, with two lines 34 to 75 ms.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        # One more than hash at a time (Config.hashing_slots): it refuses what comes too much.
        self.queue = self._lines = _Lines(self, threads // 2 + 1)
        self.set_thread_count(threads)

    @property
    def hashing_waits(self) -> int:
        """How many requests that hash wait for a thread."""
        return self._lines.hashing_waits


class _Lines:
    """All that the dispatcher uses of a deque, with its lock held: two of them."""

    def __init__(self, dispatcher: Dispatcher, places: int) -> None:
        self._dispatcher = dispatcher
        self._places = places  # free ones, for requests that hash
        self._hashing: deque[Any] = deque()
        self._others: deque[Any] = deque()

    @property
    def hashing_waits(self) -> int:
        return len(self._hashing)

    def __len__(self) -> int:
        """How many a thread may take."""
        return len(self._others) + min(len(self._hashing), self._places)

    def append(self, channel: Any) -> None:
        asked = channel.requests[0]
        hashes = not asked.error and asked.path in HASHING
        (self._hashing if hashes else self._others).append(channel)

    def popleft(self) -> Any:
        if self._others:
            return self._others.popleft()
        self._places -= 1
        return _Hashing(self._hashing.popleft(), self)

    def give_back(self) -> None:
        """A request that hashed is through: the next one may be taken."""
        with self._dispatcher.lock:
            self._places += 1
            self._dispatcher.queue_cv.notify()  # this thread may find another request first


class _Hashing:
    """A request that hashes, on its thread."""

    def __init__(self, channel: Any, lines: _Lines) -> None:
        self._channel, self._lines = channel, lines

    def service(self) -> None:
        try:
            self._channel.service()
        finally:
            self._lines.give_back()

    def cancel(self) -> None:
        self._channel.cancel()
