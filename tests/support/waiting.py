"""Waiting for what another process or thread does: by looking, never by sleeping for long enough."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 60  # an idle machine never waits so long; a busy one of two cores may


def until(look: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """What `look` returns, as soon as that is true; AssertionError when it does not come."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)
    return seen
