"""Calls to the kernel that make the service faster. Each call may fail, and nothing depends on it.

A container's seccomp profile, systemd's filters or a changed cpuset can refuse any of these calls.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import resource
import socket
import struct
import sys
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Two services on one machine may choose the same core, but only for this long.
PERIOD_S = 10
# Added to the process's own niceness. Not 10: bcrypt needs the GIL at its beginning and end, and on a busy
# machine a thread that holds the GIL but gets no core blocks all others. (200 logins: p95 of tasks 450 to
# 1 120 ms with 10, 60 to 90 ms with 5.)
HASHING_NICENESS = 5
# What the kernel may hold of an answer beside what is on its way. Without a bound it is 4 MB a connection by
# default: 200 clients that read nothing of a 1.4 MB file made it hold 480 MB.
KERNEL_BYTES = 128 * 1024
SCRAPE_NICENESS = 10  # a scrape reads a thousand lines of JSON; requests come first
_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
_CORES: AbstractSet[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def pin_to_one_core(slot: int, service: int) -> None:
    """Keep this process's event loop and request threads on one core at a time; it is worker `slot`.

    Only one thread of a process can hold the GIL. When the threads are spread over cores, each release of the
    GIL wakes a thread on another core. Often that thread finds the GIL taken again, or the core's caches
    cold. A get with 16 connections, in alternating runs: 802 and 834 requests/s with 1.2 ms of CPU each on
    two cores, 1 276 and 1 377 with 0.75 ms on one.

    With SCHED_BATCH a thread that PostgreSQL has answered does not preempt the running thread: it would find
    the GIL taken and sleep again. That halves the context switches (an update: 18 to 9, and 705 and 923
    requests/s become 942).
    """
    if _CORES:
        threading.Thread(
            target=_move, args=(slot, service), name="core-pinning", daemon=True
        ).start()


def hash_in_background() -> None:
    """Prepare the calling thread for hashing passwords: all cores, a lower priority than requests."""
    with suppress(OSError):
        if _CORES:
            os.sched_setaffinity(0, _CORES)
    with suppress(OSError):  # on Linux each thread has a priority of its own
        if hasattr(os, "setpriority"):
            thread = threading.get_native_id()
            # Relative to the process's own niceness: a higher priority needs a privilege.
            nice = os.getpriority(os.PRIO_PROCESS, thread) + HASHING_NICENESS  # 19 at most
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def lower_priority(niceness: int) -> None:
    """Give this process a lower priority than others."""
    with suppress(OSError):
        os.nice(niceness)


def raise_file_limit(wanted: int) -> None:
    """Let this process open `wanted` files, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def unsent_bytes(connection: socket.socket) -> int:
    """How many bytes are in the kernel's send buffer; 0 where the kernel does not tell."""
    queued = 0
    with suppress(OSError):
        told = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        queued = int.from_bytes(told, sys.byteorder)
    return queued


def return_memory() -> None:
    """Give freed memory back to the system: glibc keeps some MB of it for each thread."""
    if _TRIM is not None:
        _TRIM(0)


def keep_unsent_here(connection: socket.socket) -> None:
    """Let the kernel take little more of an answer than it can send, instead of megabytes."""
    with suppress(OSError, AttributeError):  # not on every platform
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_BYTES)


def discard_unsent(connection: socket.socket) -> None:
    """Make the kernel drop its send buffer when the connection is closed."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def waited_for_cores(pid: int) -> dict[str, float]:
    """For how many seconds each thread of a process has been ready to run without a core.

    Empty where the kernel does not tell.
    """
    found = {}
    with suppress(OSError, ValueError, IndexError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
    return found


def core_of(slot: int, service: int, period: int, cores: AbstractSet[int]) -> int:
    """A worker's core: a different one for each slot, if there are enough, and for each period."""
    order = random.Random(f"{service} {period}").sample(sorted(cores), len(cores))  # noqa: S311
    return order[slot % len(order)]


def _move(slot: int, service: int) -> None:
    while True:
        period, passed_s = divmod(time.time(), PERIOD_S)
        core = core_of(slot, service, int(period), _CORES)
        # The event loop's thread has the process's id; after the fork, native_id is still the parent's.
        serving = [t.native_id for t in threading.enumerate() if t.name.startswith("waitress-")]
        for tid in (
            os.getpid(),
            *filter(None, serving),
        ):  # a thread that is just starting has no id yet
            with suppress(OSError):  # the thread has ended, or this container has lost the core
                os.sched_setaffinity(tid, {core})
                os.sched_setscheduler(tid, os.SCHED_BATCH, os.sched_param(0))
        time.sleep(PERIOD_S - passed_s)
