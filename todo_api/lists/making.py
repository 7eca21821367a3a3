"""Who makes a whole large list: one thread for each user, and two of a process. Others wait for them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from todo_api.web.unsent import InTheMaking, Unsent

MOST_MAKING = 2
MAKING_S = 3.0


class Makers:
    """The threads of this process that make a large list, and those that wait for it."""

    def __init__(self, unsent: Unsent, threads: int) -> None:
        """Of `threads`, a quarter may wait."""
        self._unsent = unsent
        self._changed = threading.Condition()
        self._making: set[str] = set()
        self._waiting = 0
        self._most_waiting = threads // 4

    @contextmanager
    def turn(self, owner: str) -> Iterator[None]:
        """To make the whole list of a user: one at a time, if it may be large.

        Raises InTheMaking after a wait: what was made meanwhile may be what this request needs. Raises
        Problem when too many wait already, or it takes too long.
        """
        if not self._unsent.has_been_large(owner):
            yield
            return
        with self._changed:
            if not self._may_make(owner):
                self._wait_for(owner)
                raise InTheMaking
            self._making.add(owner)
        try:
            yield
        finally:
            with self._changed:
                self._making.discard(owner)
                self._changed.notify_all()

    def _may_make(self, owner: str) -> bool:
        makers = self._unsent.being_made() | self._making
        return owner not in makers and len(makers) < MOST_MAKING

    def _wait_for(self, owner: str) -> None:
        if self._waiting >= self._most_waiting:
            raise self._unsent.full("in the making")
        self._waiting += 1
        try:
            deadline = time.monotonic() + MAKING_S
            while not self._may_make(owner):
                if time.monotonic() >= deadline:
                    raise self._unsent.full("in the making")
                # Not for longer: nobody notifies when a content could not be completed.
                self._changed.wait(0.1)
        finally:
            self._waiting -= 1
