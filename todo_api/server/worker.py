"""One worker process: from the fork to its exit status."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from typing import TYPE_CHECKING

from waitress import wasyncore  # type: ignore[import-untyped]

from todo_api.processes.heartbeat import Pulse
from todo_api.processes.machine import pin_to_one_core
from todo_api.processes.role import READY
from todo_api.server.waitress_server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from todo_api.observability.metrics import Metrics
    from todo_api.processes.heartbeat import Heartbeats
    from todo_api.server.entrance import Entrance

logger = logging.getLogger("todo_api.server")


def run_worker(
    link: socket.socket,
    slot: int,
    *,
    listener: socket.socket,
    make_app: Callable[[], Entrance],
    threads: int,
    request_timeout: float,
    core_pinning: bool,
    beats: Heartbeats | None = None,
    metrics: Metrics | None = None,
) -> int:
    """Serve until SIGTERM or until the other end of `link` is closed; returns the exit status.

    Sends READY through `link` once the application is made, or the error's text if it can't be made.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # else a line for each request
    try:
        if metrics is not None:
            metrics.take_slot(slot)
        entrance = make_app()
        pulse = Pulse(beats, slot, entrance.longest_s)
        server = Server(listener, entrance, threads, request_timeout, metrics, pulse)
    except Exception as error:
        logger.exception("the application could not start")
        _tell_parent(link, f"{type(error).__name__}: {error}".encode()[:4000])
        return 1
    _Link(link, server)

    def drain(*_: object) -> None:
        # To the event loop this looks as if the parent had ended, so there is only one path to the drain.
        # It also wakes the loop: a signal alone would not interrupt poll().
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RD)

    signal.signal(signal.SIGTERM, drain)
    if core_pinning:
        pin_to_one_core(slot, service=os.getppid())
    _tell_parent(link, READY)
    return 0 if server.serve() else 1


def _tell_parent(link: socket.socket, message: bytes) -> None:
    # When the parent has ended, the event loop notices that by itself and drains.
    with contextlib.suppress(OSError):
        link.send(message)


class _Link(wasyncore.dispatcher):  # type: ignore[misc]
    """The socket to the parent. The parent never writes, so readable means closed."""

    def __init__(self, link: socket.socket, server: Server) -> None:
        super().__init__(link, map=server._map)
        self._server = server

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.recv(1)

    def handle_close(self) -> None:
        self.del_channel()
        self._server.drain()
