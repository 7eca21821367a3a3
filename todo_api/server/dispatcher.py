"""waitress's threads, and which request gets the next free one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

from todo_api.server.lines import Line, Lines

if TYPE_CHECKING:
    from todo_api.observability.line_load import LineLoad
    from todo_api.server.entrance import Entrance


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """waitress's threads, which take requests from lines that take turns.

    In a single queue a burst of logins delays all requests for tasks: with 200 logins at once the p95 of
    tasks was 142 to 328 ms. Likewise the writes of one user, which wait for each other in the database, would
    hold every thread and every connection.
    """

    def __init__(self, threads: int, entrance: Entrance) -> None:
        super().__init__()
        self._entrance = entrance
        # One more than can hash at a time: it reads, asks the database and answers. Who waits for a hash
        # waits in the line, where networks take turns, and not behind it.
        places = min(threads // 2 + 1, entrance.hashing_slots + 1)
        self._lines = Lines(threads, places, entrance.most_hashing)
        self.queue = _Queue(self, self._lines)
        self.set_thread_count(threads)

    def add_task(self, channel: Any) -> None:
        request = channel.requests[0]
        place = self._entrance.place_of(channel.addr[0], request)  # outside of the lock
        with self.lock:
            if self._lines.append(channel, place):
                self.queue_cv.notify()

    def load(self) -> LineLoad:
        """How many wait, and how many were refused."""
        return self._lines.load()

    def refuse_overdue(self) -> None:
        """Have the requests that have waited for too long answered 503."""
        with self.lock:
            self.queue_cv.notify(self._lines.refuse_overdue(time.monotonic()))

    def give_back(self, line: Line) -> None:
        """Note that a request of `line` has ended: the next one may start."""
        with self.lock:
            if self._lines.give_back(line):
                self.queue_cv.notify()  # for another thread: this one may take another line's request


class _Queue:
    """The lines as waitress's handler_thread sees them."""

    def __init__(self, dispatcher: Dispatcher, lines: Lines) -> None:
        self._dispatcher = dispatcher
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def popleft(self) -> _Taken:
        return _Taken(self._dispatcher, *self._lines.popleft())


class _Taken:
    """A request on its thread."""

    def __init__(self, dispatcher: Dispatcher, channel: Any, line: Line) -> None:
        self._dispatcher, self._channel, self._line = dispatcher, channel, line

    def service(self) -> None:
        try:
            self._channel.service()
        finally:
            self._dispatcher.give_back(self._line)

    def cancel(self) -> None:
        self._channel.cancel()
