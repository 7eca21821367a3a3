"""waitress's server on a socket that several processes share: settings, checks once a second, the drain."""

from __future__ import annotations

import logging
import math
import resource
import time
from typing import TYPE_CHECKING, Any

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]

from todo_api.processes.role import DRAIN_SECONDS
from todo_api.server.channel import Channel
from todo_api.server.dispatcher import Dispatcher

if TYPE_CHECKING:
    import socket

    from todo_api.observability.metrics import Metrics
    from todo_api.processes.heartbeat import Pulse
    from todo_api.server.entrance import Entrance

CONNECTIONS = 2000
SPARE_FILES = 200  # for database connections, logs and modules
IDLE_SECONDS = 1.0

logger = logging.getLogger("todo_api.server")


class Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server on a socket that is shared with other processes."""

    channel_class = Channel
    draining = False
    next_channel_cleanup = math.inf  # waitress's own, never
    _next_maintenance = 0.0

    def __init__(
        self,
        listener: socket.socket,
        entrance: Entrance,
        threads: int,
        request_timeout: float,
        metrics: Metrics | None,
        pulse: Pulse,
    ) -> None:
        self._request_timeout = request_timeout
        self.metrics = metrics
        self.entrance = entrance
        self._pulse = pulse
        address = listener.getsockname()
        super().__init__(
            pulse.watched(entrance.app),
            _sock=listener,
            dispatcher=Dispatcher(threads, entrance),
            adj=_adjustments(),
            sockinfo=(listener.family, listener.type, listener.proto, address),
            bind_socket=False,
        )

    def readable(self) -> bool:
        """Whether a connection can be accepted; once a second, it is time for maintenance.

        By a clock that nobody sets: by waitress's time.time() there would be no timeout for as long as the
        clock was set back, and all connections would be idle ones after it was set forward.
        """
        now = time.monotonic()
        if now >= self._next_maintenance:
            self._next_maintenance = now + self.adj.cleanup_interval
            self.maintenance(now)
        return bool(super().readable())

    def maintenance(self, now: float) -> None:
        """At each cleanup_interval, end idle connections and slow clients, and read the load for metrics."""
        super().maintenance(now)
        self.task_dispatcher.refuse_overdue()
        for channel in list(self.active_channels.values()):
            channel.check_deadline(now, self._request_timeout)
        if self.metrics is not None:
            self.metrics.read_load(self.task_dispatcher.load())

    def add_task(self, task: Channel) -> None:
        """Have a thread execute the next request of a channel."""
        if not task.must_read_first():
            super().add_task(task)

    def fix_addr(self, addr: tuple[Any, ...]) -> tuple[str, int]:
        # On a socket that listens on "::", an IPv4 client has an address like ::ffff:192.0.2.1. Without the
        # prefix, rate limits and TRUSTED_PROXIES treat the client as on "0.0.0.0".
        return addr[0].removeprefix("::ffff:") if "." in addr[0] else addr[0], addr[1]

    def serve(self) -> bool:
        """Serve, then drain. Returns False if running requests had to be cut off."""
        while not self.draining:
            wasyncore.poll2(1.0, self._map)
            self._pulse.beat()
        return self._finish(time.monotonic() + DRAIN_SECONDS)

    def drain(self) -> None:
        """Accept the connections in the listen backlog and stop listening; serve() then finishes."""
        if self.draining:
            return
        self.draining = True
        connections = -1
        while connections < len(self.active_channels):
            connections = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)  # only the listening socket: the trigger is still needed

    def _finish(self, deadline: float) -> bool:
        drained_at = time.time()
        while self.active_channels and time.monotonic() < deadline:
            wasyncore.poll2(0.1, self._map)
            self._pulse.beat()
            now = time.time()
            for channel in list(self.active_channels.values()):
                # A request may already be under way on a kept-alive connection.
                idle_since = max(drained_at, channel.last_activity)
                if channel.is_idle() and now - idle_since >= IDLE_SECONDS:
                    channel.handle_close()
        channels = self.active_channels.values()
        running = sum(channel.executes() for channel in channels)
        if channels:
            logger.warning(
                "cut off %d connections after %g s, %d of them with a request being executed",
                len(channels),
                DRAIN_SECONDS,
                running,
            )
        return not running


def _adjustments() -> Any:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = CONNECTIONS
    if files != resource.RLIM_INFINITY:
        # Without a free file descriptor accept() would fail and be retried endlessly. At this limit, new
        # connections wait in the backlog instead.
        connections = min(connections, max(files - SPARE_FILES, files // 2))
    adjustments = Adjustments(
        connection_limit=connections,
        # Most proxies close idle connections after 60 s. The service closes later, so it never closes a
        # connection that the proxy is about to use.
        channel_timeout=75,
        cleanup_interval=1,  # 3 ms of work for 1 000 connections
        max_request_header_size=16 * 1024,
        # The application answers 413 above 64 KiB; waitress stops reading here.
        max_request_body_size=1024 * 1024,
        # No temporary files: bodies are small, answers are in memory anyway, and a container may
        # have no writable /tmp.
        inbuf_overflow=2 * 1024 * 1024,
        outbuf_overflow=1024 * 1024 * 1024,
        # A thread never waits until a client has read: Channel.must_read_first and Unsent bound what is kept.
        outbuf_high_watermark=1024 * 1024 * 1024 * 1024,
        ident=None,  # no Server header
        # Forwarded needs the headers and removes them itself.
        clear_untrusted_proxy_headers=False,
    )
    # The event loop sends head and body of an answer in one piece: about a fifth more requests/s than with
    # 1, waitress's default. Not passed to Adjustments(), which would warn that the setting is deprecated.
    adjustments.send_bytes = 16 * 1024
    return adjustments
