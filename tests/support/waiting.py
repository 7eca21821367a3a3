"""Waiting for what another process or thread does: by looking, never by sleeping for long enough."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 60  # an idle machine never waits so long; a busy one of two cores may
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def at_most(alone_s: float) -> float:
    """A bound on time: `alone_s` when tests run one by one (`-n 0`), three times that beside other tests.

    A start that takes 1 s alone took 9.9 s beside two load tests on two cores.
    """
    return alone_s if _PROCESSES == 1 else 3 * alone_s


def until(look: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """What `look` returns, as soon as that is true; AssertionError when it does not come."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)
    return seen
