"""Signals of the parent process as bytes on a socket, so that they can be waited for with everything else."""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@contextlib.contextmanager
def signals_on_a_socket() -> Iterator[socket.socket]:
    """Give the numbers of the signals to a socket while inside; they have no other effect, then or later."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            # Only the process itself, and an embedded PostgreSQL that is stopping, are left to end. A
            # second signal would end them half-way, with a status that says failure.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.set_wakeup_fd(descriptor)


def signal_name(number: int) -> str:
    """SIGTERM for 15; a number that has no name stays one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
