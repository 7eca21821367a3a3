"""Requests of a user over one connection; how long each took, and what was wrong."""

import threading
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import quantiles
from typing import Any, NamedTuple

from support.live_service import LiveClient, Reply

from .model import need


class Waits(NamedTuple):
    """How many requests waited, and how long, in seconds."""

    number: int
    p50: float
    p95: float
    p99: float


class Book:
    """What all users together have asked and been answered."""

    def __init__(self) -> None:
        self.waits: dict[str, array[float]] = defaultdict(lambda: array("f"))  # seconds, by kind
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def note(self, kind: str, status: int, waited_s: float) -> None:
        """Count an answer."""
        with self._lock:
            self.waits[kind].append(waited_s)
            self.statuses[status] += 1

    def fail(self, about: str) -> None:
        """Keep what was wrong."""
        with self._lock:
            self.wrong.append(about[:2000])

    @contextmanager
    def keeping(self, who: str) -> Iterator[None]:
        """Keep whatever goes wrong in the block, and go on after it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self.fail(f"{who}: {type(error).__name__}: {error}")

    def quantiles(self) -> dict[str, "Waits"]:
        """How long requests waited for their answers, by kind."""
        return {kind: _waits(seconds) for kind, seconds in self.waits.items()}

    @property
    def requests(self) -> int:
        """How many were answered."""
        return self.statuses.total()


class Asker:
    """Asks on a connection of its own, and keeps book."""

    def __init__(self, client: LiveClient, book: Book) -> None:
        self._client, self._book = client, book

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        token: str | None = None,
    ) -> Reply:
        """The answer, whatever it is."""
        began = time.monotonic()
        reply = self._client.ask(method, path, body, headers, token=token)
        self._book.note(kind, reply.status, time.monotonic() - began)
        return reply

    def expect(
        self, status: int, kind: str, method: str, path: str, *rest: Any, **more: Any
    ) -> Any:
        """What the answer holds, which has to have this status; None without a body."""
        reply = self.ask(kind, method, path, *rest, **more)
        need(
            reply.status == status,
            f"{method} {path}: {reply.status} instead of {status}: {reply.body!r}",
        )
        need(bool(reply.body) == (status not in (204, 304)), f"{method} {path}: {reply.body!r}")
        return reply.json if reply.body else None

    def refused(self, status: int, code: str, kind: str, *rest: Any, **more: Any) -> Any:
        """The problem, which has to be this one."""
        problem = self.expect(status, kind, *rest, **more)
        need(problem["code"] == code, f"{rest}: {problem}")
        return problem


def _waits(seconds: Sequence[float]) -> Waits:
    cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [*seconds] * 99
    return Waits(len(seconds), *[cuts[at - 1] for at in (50, 95, 99)])
