"""Keeps the threads of a worker on one core: the interpreter lets only one of them run anyway.

Spread over cores, each time a thread lets go of the interpreter it wakes one on another core, which finds
it taken again, and whoever gets it finds that core's caches cold: 802 and 834 requests/s on two cores with
1.2 ms of CPU each, 1 276 and 1 377 with 0.75 ms on one (a get, 16 connections, in turn). Nor do they
interrupt each other when PostgreSQL has answered one: it would find the interpreter taken, and sleep
again. That halves the kernel's switches (an update: 18 of them to 9, 705 and 923 requests/s to 942).
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Services that don't know of each other may choose the same core, but not for long.
PERIOD_S = 10
_CORES: AbstractSet[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def keep_to_one_core(place: int, service: int) -> None:
    """Keep this process's event loop and request threads together, as worker `place` of a service."""
    if _CORES:
        threading.Thread(target=_move, args=(place, service), name="affinity", daemon=True).start()


def use_every_core() -> None:
    """Free the calling thread: it computes without the interpreter."""
    if _CORES:
        os.sched_setaffinity(0, _CORES)


def core_of(place: int, service: int, period: int, cores: AbstractSet[int]) -> int:
    """The core of a worker: another one for each place, as far as there are enough, and each period."""
    order = random.Random(f"{service} {period}").sample(sorted(cores), len(cores))  # noqa: S311
    return order[place % len(order)]


def _move(place: int, service: int) -> None:
    while True:
        period, passed_s = divmod(time.time(), PERIOD_S)
        core = core_of(place, service, int(period), _CORES)
        # The event loop's id is the process's; the main thread's native_id is still the parent's.
        serving = [t.native_id for t in threading.enumerate() if t.name.startswith("waitress-")]
        for tid in (os.getpid(), *filter(None, serving)):  # one that is just starting has no id yet
            with suppress(OSError):  # it has ended, or this container has lost the core
                os.sched_setaffinity(tid, {core})
                os.sched_setscheduler(tid, os.SCHED_BATCH, os.sched_param(0))
        time.sleep(PERIOD_S - passed_s)
