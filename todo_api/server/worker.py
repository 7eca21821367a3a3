"""One worker process: waitress's event loop and threads, and the drain at its end."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]

from todo_api.server.channel import Channel
from todo_api.server.dispatcher import Dispatcher
from todo_api.server.machine import keep_to_one_core
from todo_api.server.memory import keep_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from todo_api.observability.metrics import Metrics

CONNECTIONS = 2000
SPARE_FILES = 200  # database connections, logs, the modules' own
BACKLOG = 1024
DRAIN_SECONDS = 8.0
IDLE_SECONDS = 1.0
READY = b"+"

logger = logging.getLogger("todo_api.server")


def run_worker(
    link: socket.socket,
    place: int,
    listener: socket.socket,
    make_app: Callable[[], WSGIApplication],
    threads: int,
    request_timeout: float,
    metrics: Metrics | None = None,
) -> int:
    """Serve until SIGTERM or until the other end of `link` is closed; the exit status.

    `place` tells the processes of a service apart. READY goes into `link` when the application stands,
    or the error's text if it can't.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # else a line for each request
    keep_memory()
    try:
        if metrics is not None:
            metrics.take_place(place)
        server = Server(listener, make_app(), threads, request_timeout, metrics)
    except Exception as error:
        logger.exception("the application could not start")
        link.send(f"{type(error).__name__}: {error}".encode()[:4000])
        return 1
    _Link(link, server)

    def drain(*_: object) -> None:
        # Looks to the event loop like the parent's end: one way to the drain, and one that wakes
        # the loop, in which poll() would go on after a signal.
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RD)

    signal.signal(signal.SIGTERM, drain)
    keep_to_one_core(place, service=os.getppid())
    link.send(READY)
    return 0 if server.serve() else 1


class Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server on a socket that is shared with other processes."""

    channel_class = Channel
    draining = False

    def __init__(
        self,
        listener: socket.socket,
        app: WSGIApplication,
        threads: int,
        request_timeout: float,
        metrics: Metrics | None,
    ) -> None:
        self._request_timeout = request_timeout
        self.metrics = metrics
        address = listener.getsockname()
        super().__init__(
            app,
            _sock=listener,
            dispatcher=Dispatcher(threads),
            adj=_adjustments(),
            sockinfo=(listener.family, listener.type, listener.proto, address),
            bind_socket=False,
        )

    def maintenance(self, now: float) -> None:
        """Look, every cleanup_interval, for idle connections and for clients that are too slow.

        And at what is counted by looking.
        """
        super().maintenance(now)
        moment = time.monotonic()
        for channel in list(self.active_channels.values()):
            channel.look_at_the_clock(moment, self._request_timeout)
        if self.metrics is not None:
            self.metrics.look()

    def fix_addr(self, addr: tuple[Any, ...]) -> tuple[str, int]:
        # An IPv4 client of a socket that listens on "::" is an IPv4 client: its limits and its
        # place in TRUSTED_PROXIES are the same as on "0.0.0.0".
        return addr[0].removeprefix("::ffff:") if "." in addr[0] else addr[0], addr[1]

    def serve(self) -> bool:
        """Serve, then drain; False if requests that were being executed had to be cut off."""
        while not self.draining:
            wasyncore.poll2(1.0, self._map)
        return self._finish(time.monotonic() + DRAIN_SECONDS)

    def drain(self) -> None:
        """Take what is in the listen backlog, stop listening; serve() then comes to its end."""
        if self.draining:
            return
        self.draining = True
        connections = -1
        while connections < len(self.active_channels):
            connections = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)  # the listening socket alone: the trigger is still needed

    def _finish(self, deadline: float) -> bool:
        drained_at = time.time()
        while self.active_channels and time.monotonic() < deadline:
            wasyncore.poll2(0.1, self._map)
            now = time.time()
            for channel in list(self.active_channels.values()):
                # A request may already be under way on a kept-alive connection.
                idle_since = max(drained_at, channel.last_activity)
                if channel.is_idle() and now - idle_since >= IDLE_SECONDS:
                    channel.handle_close()
        channels = self.active_channels.values()
        running = sum(bool(channel.requests) for channel in channels)
        if channels:
            logger.warning(
                "cut off %d connections after %g s, %d of them with a request being executed",
                len(channels),
                DRAIN_SECONDS,
                running,
            )
        return not running


def raise_file_limit() -> None:
    """Let a process have the files that CONNECTIONS need, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _adjustments() -> Any:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = CONNECTIONS
    if files != resource.RLIM_INFINITY:
        # Out of files, accept() would fail and be tried again without end. At the limit
        # connections wait in the backlog instead.
        connections = min(connections, max(files - SPARE_FILES, files // 2))
    adjustments = Adjustments(
        connection_limit=connections,
        # Proxies keep idle connections for 60 s as a rule. The side that closes later never
        # closes one that the other is about to use.
        channel_timeout=75,
        cleanup_interval=1,  # 3 ms of work for 1 000 connections
        max_request_header_size=16 * 1024,
        # The application answers 413 from 64 KiB on; this is the end of what is read for it.
        max_request_body_size=1024 * 1024,
        # No temporary files: bodies are small, answers are in memory anyway, and a container may
        # have no writable /tmp.
        inbuf_overflow=2 * 1024 * 1024,
        outbuf_overflow=1024 * 1024 * 1024,
        ident=None,  # no Server header
        # Forwarded needs the headers and removes them itself.
        clear_untrusted_proxy_headers=False,
    )
    # Head and body of an answer leave in one piece, sent by the event loop: about a fifth more
    # requests/s than with 1, waitress's default. As an argument it warns that it is deprecated.
    adjustments.send_bytes = 16 * 1024
    return adjustments


class _Link(wasyncore.dispatcher):  # type: ignore[misc]
    """The socket to the parent, which never writes: readable means closed."""

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
