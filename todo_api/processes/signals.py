"""Delivers the parent's signals as bytes on a socket, so that a selector can wait for them."""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SIGNALS = (*ENDING, signal.SIGCHLD)


@contextlib.contextmanager
def signals_on_a_socket() -> Iterator[socket.socket]:
    """Yield a socket that gets the numbers of signals, which have no other effect, also after the block."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:  # by nohup
                continue
            signal.signal(number, lambda *_: None)
        descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            # Now only this process and an embedded PostgreSQL are still stopping. Another signal would
            # interrupt that, and the exit status would be a failure.
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.set_wakeup_fd(descriptor)


def signal_name(number: int) -> str:
    """SIGTERM for 15; "signal 99" for a number without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
