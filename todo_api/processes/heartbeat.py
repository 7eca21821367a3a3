"""How a worker shows that it works: a count of its event loop's turns, in memory shared with the parent.

The clocks here stand still while their own process does. So a laptop that slept, a container that was paused
and a machine that gave nobody a core make nobody look late.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from typing import TYPE_CHECKING

from todo_api.processes.machine import waited_for_cores

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOOK_SECONDS = 1.0  # between two looks of the parent
SILENCE_SECONDS = 20.0  # without a turn of its event loop, which turns once a second at least
START_FACTOR = 6  # a start from a cold disk may take that many times as long
# What a request may take beside its hash: a few waits for a connection and for the database, 9 s each.
LONGEST_SECONDS = 60.0
STEP_SECONDS = 2.0  # how much a clock goes on at most between two looks at it
_BEAT = struct.Struct("=QQ")


class Heartbeats:
    """The beats of all children, one place for each slot. Made before the first fork."""

    def __init__(self, slots: int, silence_s: float = SILENCE_SECONDS) -> None:
        self.silence_s = silence_s
        self._memory = mmap.mmap(-1, slots * _BEAT.size)  # shared with the children

    def write(self, slot: int, turns: int, stuck: int) -> None:
        """Say how many turns a child's loop has made, and how many of its requests are stuck."""
        _BEAT.pack_into(self._memory, slot * _BEAT.size, turns, stuck)

    def read(self, slot: int) -> tuple[int, int]:
        """What the child in a slot has written last."""
        turns, stuck = _BEAT.unpack_from(self._memory, slot * _BEAT.size)
        return turns, stuck


class LivedTime:
    """Seconds in which this process ran: a clock that goes on by STEP_SECONDS at most at each look."""

    def __init__(self) -> None:
        self._seen, self.seconds = time.monotonic(), 0.0

    def look(self) -> float:
        """Let the time since the last look count; returns how much did."""
        now = time.monotonic()
        passed = min(now - self._seen, STEP_SECONDS)
        self._seen = now
        self.seconds += passed
        return passed


class Pulse:
    """A worker's side: its event loop beats, and looks for requests that never end."""

    def __init__(
        self, beats: Heartbeats | None = None, slot: int = 0, longest_s: float = LONGEST_SECONDS
    ) -> None:
        self._beats, self._slot, self._longest_s = beats, slot, longest_s
        self._turns = 0
        self._lived = LivedTime()
        self._began: dict[int, float] = {}

    def beat(self) -> None:
        """Called at each turn of the event loop."""
        self._turns += 1
        self._lived.look()
        if self._beats is not None:
            oldest = self._lived.seconds - self._longest_s
            stuck = sum(began < oldest for began in list(self._began.values()))
            self._beats.write(self._slot, self._turns, stuck)

    def watched(self, app: WSGIApplication) -> WSGIApplication:
        """The application, with a look at how long it works on each request.

        What comes after, sending the answer, takes as long as the client likes.
        """

        def watched(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            thread = threading.get_ident()
            self._began[thread] = self._lived.seconds
            try:
                return app(environ, start_response)
            finally:
                del self._began[thread]

        return watched


class Watch:
    """The parent's side: for how long a child has been silent."""

    def __init__(self, beats: Heartbeats, slot: int, pid: int) -> None:
        self._beats, self._slot, self._pid = beats, slot, pid
        self._turns, _ = beats.read(slot)
        self._silent_s = 0.0
        self._waits: dict[str, float] = {}

    @property
    def is_turning(self) -> bool:
        """Whether the child's event loop had made a turn at the last look."""
        return self._silent_s == 0

    def look(self, passed: float, serves: bool) -> str | None:
        """Why the child has to be replaced, `passed` seconds after the last look; None if it works.

        The time in which one of its threads only waited for a core does not count.
        """
        turns, stuck = self._beats.read(self._slot)
        if turns != self._turns:
            self._turns, self._silent_s = turns, 0.0
            self._waits = {}
            return f"{stuck} requests have not ended for far too long" if stuck else None
        waits = waited_for_cores(self._pid)
        # Of all its threads, since the loop may wait for one that holds the GIL and has no core.
        starved_s = max(
            (waits[task] - self._waits.get(task, waits[task]) for task in waits), default=0
        )
        self._waits = waits
        self._silent_s += max(0.0, passed - starved_s)
        most_s = self._beats.silence_s * (1 if serves else START_FACTOR)
        if self._silent_s < most_s:
            return None
        return f"its event loop has made no turn for {most_s:g} s"
