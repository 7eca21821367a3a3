"""The lines in which requests wait for a thread, with bounds on how many wait, how long, and how many run."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from todo_api.observability.line_load import LineLoad
from todo_api.server.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

HASHING = "hashing"
READ = "read"
WRITE = "write"
OTHER = "other"
_REFUSED = "refused"

# Of one user. More wait only when somebody sends hundreds at once.
MOST_WAITING = 256
# Longer than the database lets a write wait for its user's lock (lock_timeout, 2 s).
USER_PATIENCE_S = 5.0
# Longer than MAX_WAIT_S: a flood of refusals takes cores from those who hash.
HASHING_PATIENCE_S = 5.0
# The writes of one user wait for each other's commits in the database anyway. A second one is there to start
# as soon as the first has committed.
WRITES_OF_ONE_USER = 2


class Place(NamedTuple):
    """Where a request waits: in which line and, inside of a line with groups, in which group."""

    kind: str
    owner: Hashable = None
    groups: tuple[Hashable, ...] = ()


class Waiting(NamedTuple):
    """A request that waits."""

    channel: Any
    since: float
    groups: tuple[Hashable, ...]


@dataclass(eq=False)
class Line:
    """The requests of one user that read, or that write; or of one network; or all that hash."""

    key: tuple[str, Hashable]  # the kind, and the user or network
    most_running: int
    patience_s: float | None = None
    most_waiting: Callable[[], int] | None = None
    waiting: Turns = field(default_factory=Turns)
    running: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether a thread may take a request of this line."""
        return len(self.waiting) > 0 and self.running < self.most_running

    @property
    def is_too_long(self) -> bool:
        """Whether one has to be refused. Those for whom there is a place only wait for a thread to wake."""
        free = self.most_running - self.running
        return self.most_waiting is not None and len(self.waiting) > self.most_waiting() + free


class Lines:
    """All lines of a process, behind the methods of the deque that waitress's dispatcher uses.

    The lines take turns, so that nobody's requests wait behind all the requests of somebody else. Always used
    under the dispatcher's lock.
    """

    def __init__(self, threads: int, hashing_threads: int, most_hashing: Callable[[], int]) -> None:
        quarter = max(1, threads // 4)
        self._most_running = {
            HASHING: hashing_threads,
            READ: quarter,
            WRITE: min(WRITES_OF_ONE_USER, quarter),
            OTHER: threads,
            _REFUSED: threads,
        }
        self._most_hashing = most_hashing
        self._lines: dict[tuple[str, Hashable], Line] = {}
        self._ready: OrderedDict[tuple[str, Hashable], Line] = OrderedDict()
        self._refused_hashing = self._refused_users = 0

    def __len__(self) -> int:
        """Not 0 when a thread may take a request."""
        return len(self._ready)

    def load(self) -> LineLoad:
        """How many wait to hash, and how many were refused because they would have waited too long."""
        hashing = self._lines.get((HASHING, None))
        return LineLoad(
            hashing_waits=len(hashing.waiting) if hashing else 0,
            hashing_refused=self._refused_hashing,
            users_refused=self._refused_users,
        )

    def append(self, channel: Any, place: Place) -> bool:
        """Let a request wait in its line; returns whether a thread may take a request now."""
        line = self._line(place.kind, place.owner)
        groups = place.groups or (None,)
        line.waiting.append(groups, Waiting(channel, time.monotonic(), groups))
        if line.is_ready:
            self._ready.setdefault(line.key, line)
        if line.is_too_long:
            self._refuse(line, line.waiting.pop())
        return bool(self)

    def popleft(self) -> tuple[Any, Line]:
        """The next request, and the line to give back after it."""
        _, line = self._ready.popitem(last=False)
        line.running += 1
        taken = line.waiting.popleft()
        if line.is_ready:
            self._ready[line.key] = line  # behind all other lines
        return taken.channel, line

    def give_back(self, line: Line) -> bool:
        """Note that a request of `line` has ended; returns whether another one of it may start now."""
        line.running -= 1
        if line.is_ready:
            self._ready.setdefault(line.key, line)
            return True
        if not line.running and not line.waiting:
            self._lines.pop(line.key, None)
        return False

    def refuse_overdue(self, now: float) -> int:
        """Refuse the requests that have waited for too long; returns how many."""
        return sum(
            self._refuse_since_before(now - line.patience_s, line)
            for line in list(self._lines.values())
            if line.patience_s is not None and line.waiting
        )

    def _refuse_since_before(self, oldest: float, line: Line) -> int:
        overdue = list(line.waiting.remove(lambda one: one.since < oldest))
        for waiting in overdue:
            self._refuse(line, waiting)
        if not line.is_ready:
            self._ready.pop(line.key, None)
        return len(overdue)

    def _line(self, kind: str, owner: Hashable = None) -> Line:
        key = kind, owner
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = self._new(key)
        return line

    def _new(self, key: tuple[str, Hashable]) -> Line:
        kind, _ = key
        most = self._most_running[kind]
        if kind == HASHING:
            return Line(key, most, HASHING_PATIENCE_S, self._most_hashing)
        if kind in (OTHER, _REFUSED):
            return Line(key, most)
        return Line(key, most, USER_PATIENCE_S, lambda: MOST_WAITING)

    def _refuse(self, line: Line, waiting: Waiting) -> None:
        waiting.channel.requests[0].is_refused = True
        # In a line of their own, which takes turns with the others: a flood of requests to refuse must not
        # keep the others from being answered.
        refused = self._line(_REFUSED)
        refused.waiting.append(waiting.groups, waiting)
        self._ready.setdefault(refused.key, refused)
        kind, _ = line.key
        if kind == HASHING:
            self._refused_hashing += 1
        else:
            self._refused_users += 1
