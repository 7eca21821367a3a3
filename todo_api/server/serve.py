"""The HTTP service: a listening socket and the processes that share it, and one more for metrics."""

from __future__ import annotations

import gc
import logging
import socket
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from todo_api.processes.heartbeat import SILENCE_SECONDS, Heartbeats
from todo_api.processes.machine import SCRAPE_NICENESS, lower_priority, raise_file_limit
from todo_api.processes.role import Role
from todo_api.processes.supervisor import ServerError, Supervisor
from todo_api.server.entrance import Entrance, alone
from todo_api.server.waitress_server import CONNECTIONS, SPARE_FILES
from todo_api.server.worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from todo_api.observability.metrics import Metrics

__all__ = ["ServerError", "serve"]

BACKLOG = 1024
# One thread: even the most frequent scrapes take only the spare time of one process.
METRICS_THREADS = 1
METRICS_TIMEOUT_S = 10  # Prometheus's own default

logger = logging.getLogger("todo_api.server")


def serve(
    make_app: Callable[[], Entrance],
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    request_timeout: float,
    core_pinning: bool = True,
    ready: Callable[[str], None] | None = None,
    metrics: Metrics | None = None,
    silence_s: float = SILENCE_SECONDS,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status, 1 if accepted requests had to be cut off.

    make_app runs in each worker process after the fork, so it is the place to open connections. `ready`
    gets the URL once all workers serve. `metrics` are served by a separate process, whose failures don't
    affect the workers. A worker whose event loop makes no turn for `silence_s` is replaced. Raises
    ServerError if an address can't be used or a worker can't start. Call this function in the main thread
    of a process without other threads.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(host, port))
        beats = Heartbeats(workers + 1, silence_s)
        run = partial(
            run_worker,
            listener=listener,
            beats=beats,
            make_app=make_app,
            threads=threads,
            request_timeout=request_timeout,
            core_pinning=core_pinning,
            metrics=metrics,
        )
        roles = [Role(listener, run)] * workers
        if metrics is not None:
            roles.append(_metrics_role(metrics, stack, core_pinning, beats))
        raise_file_limit(CONNECTIONS + SPARE_FILES)
        # Objects that exist now stay in memory shared with the workers: garbage collection won't write there.
        gc.collect()
        gc.freeze()
        url = _url(listener)
        return Supervisor(roles, beats, metrics).run(
            lambda: ready(url) if ready is not None else None
        )


def _metrics_role(
    metrics: Metrics, stack: ExitStack, core_pinning: bool, beats: Heartbeats
) -> Role:
    def page() -> Entrance:
        lower_priority(SCRAPE_NICENESS)
        return alone(metrics.page())

    listener = stack.enter_context(_listen(metrics.host, metrics.port))
    logger.info("metrics on %s/metrics", _url(listener))
    run = partial(
        run_worker,
        listener=listener,
        make_app=page,
        beats=beats,
        threads=METRICS_THREADS,
        request_timeout=METRICS_TIMEOUT_S,
        core_pinning=core_pinning,
    )
    return Role(listener, run, "metrics process", serves_clients=False, clean_up=metrics.remove)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; ServerError when the address is wrong, in use or not allowed."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" means both
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ServerError(f"cannot listen on {shown}: {reason}") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
