"""A forked child, from the fork to `os._exit`, without its parent's signal handlers and sockets."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from todo_api.processes.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from todo_api.processes.heartbeat import Watch
    from todo_api.processes.role import Role

logger = logging.getLogger("todo_api.server")


@dataclass
class Child:
    """A child as its parent sees it."""

    pid: int
    slot: int  # its number in the service; a replacement gets the number of the child that it replaces
    role: Role
    link: socket.socket  # the child sends READY or an error; closing it tells the child to end
    started: float = field(default_factory=time.monotonic)
    serves: bool = False
    error: str = ""
    watch: Watch | None = None
    told_to_end: float | None = None  # when it was told, because some of its requests are stuck

    @property
    def name(self) -> str:
        return f"{self.role.name} {self.pid}"


def start_child(slot: int, roles: Sequence[Role], others: Iterable[Child]) -> Child:
    """Fork a child for `roles[slot]` beside `others`. Raises OSError when the kernel refuses."""
    for stream in (sys.stdout, sys.stderr):
        # Otherwise parent and child would both write what is buffered. It may fail: nobody reads it any more,
        # or the disk is full.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    ours, theirs = socket.socketpair()
    with theirs:
        # Until the child has its own handlers, a signal would run the parent's handlers.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                _run(slot, roles, theirs, others, mask)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    ours.setblocking(False)
    return Child(pid, slot, roles[slot], ours)


def _run(
    slot: int,
    roles: Sequence[Role],
    link: socket.socket,
    others: Iterable[Child],
    mask: set[int | signal.Signals],
) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        # The terminal sends Ctrl-C, and its own end, to all processes; only the parent handles it. Until the
        # child serves, there is nothing to drain, so SIGTERM ends the child at once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # With a copy of its link here, another child would not notice the parent's end.
        for other in others:
            other.link.close()
        role = roles[slot]
        for other_role in roles:  # otherwise their addresses stay in use until this process ends
            if other_role.listener is not role.listener:
                other_role.listener.close()
        status = role.run(link, slot)
        if role.clean_up is not None and _is_hung_up(link):
            role.clean_up()
    except BaseException:
        logger.exception("the worker failed")
    finally:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        # Not through sys.exit: exit handlers and `finally` blocks of the parent must not run here.
        os._exit(status)


def _is_hung_up(link: socket.socket) -> bool:
    """Whether the parent has closed its end of the link; os.getppid() would change only later."""
    poller = select.poll()
    poller.register(link, 0)
    return any(events & select.POLLHUP for _, events in poller.poll(0))
