"""A forked child: from the fork to `os._exit`, with nothing of its parent's left in its way."""

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

from todo_api.server.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from todo_api.server.role import Role

logger = logging.getLogger("todo_api.server")


@dataclass
class Child:
    """A child as its parent sees it."""

    pid: int
    slot: int  # its number in the service; a replacement gets the number of the child that it replaces
    role: Role
    link: socket.socket  # READY or an error comes out of it; closing it tells the child to end
    started: float = field(default_factory=time.monotonic)
    serves: bool = False
    error: str = ""

    @property
    def name(self) -> str:
        return f"{self.role.name} {self.pid}"


def start_child(slot: int, roles: Sequence[Role], others: Iterable[Child]) -> Child:
    """Fork a child for `roles[slot]` beside `others`. Raises OSError when the kernel refuses."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or what is buffered would be written twice
    ours, theirs = socket.socketpair()
    with theirs:
        # Until the child has handlers of its own, a signal would run into its parent's.
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
        # The terminal sends Ctrl-C to all processes; the parent decides what it means. Until the child
        # serves it has nothing to drain, so SIGTERM simply ends it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # A copy of another child's link would keep that child from noticing the parent's end.
        for other in others:
            other.link.close()
        role = roles[slot]
        for other_role in roles:  # or their addresses would stay in use until this process ends
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
    """Whether the parent has closed its end; a process notices that before it gets another parent."""
    poller = select.poll()
    poller.register(link, 0)
    return any(events & select.POLLHUP for _, events in poller.poll(0))
