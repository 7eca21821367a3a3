"""Which request gets the next free thread: requests that hash a password wait behind all others."""

from __future__ import annotations

from collections import deque
from typing import Any

from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

HASHING = {"/api/auth/signup", "/api/auth/login"}


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """waitress's threads. About half of them may hash, and only while no other request waits.

    In a single queue a storm of logins stands in front of every task: with 200 logins at once the p95 of
    tasks was 142 to 328 ms, with two queues 34 to 75 ms.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        # One thread more than hash at a time (Config.hashing_slots): it answers 503 to the requests that
        # can't be hashed in time.
        self.queue = self._queues = TwoQueues(self, threads // 2 + 1)
        self.set_thread_count(threads)

    @property
    def hashing_waits(self) -> int:
        """How many requests that hash wait for a thread."""
        return self._queues.hashing_waits


class TwoQueues:
    """All that waitress's dispatcher uses of its deque, always with its lock held, over two queues."""

    def __init__(self, dispatcher: Dispatcher, hashing_threads: int) -> None:
        self._dispatcher = dispatcher
        self._free_to_hash = hashing_threads
        self._hashing: deque[Any] = deque()
        self._others: deque[Any] = deque()

    @property
    def hashing_waits(self) -> int:
        return len(self._hashing)

    def __len__(self) -> int:
        """How many requests threads may take now."""
        return len(self._others) + min(len(self._hashing), self._free_to_hash)

    def append(self, channel: Any) -> None:
        request = channel.requests[0]
        hashes = not request.error and request.path in HASHING
        (self._hashing if hashes else self._others).append(channel)

    def popleft(self) -> Any:
        if self._others:
            return self._others.popleft()
        self._free_to_hash -= 1
        return _Hashing(self._hashing.popleft(), self)

    def give_back(self) -> None:
        """Note that a request that hashed has ended: the next one may start."""
        with self._dispatcher.lock:
            self._free_to_hash += 1
            self._dispatcher.queue_cv.notify()  # this thread may find another request first


class _Hashing:
    """A request that hashes, on its thread."""

    def __init__(self, channel: Any, queues: TwoQueues) -> None:
        self._channel, self._queues = channel, queues

    def service(self) -> None:
        try:
            self._channel.service()
        finally:
            self._queues.give_back()

    def cancel(self) -> None:
        self._channel.cancel()
