"""The HTTP service: one listening socket and the worker processes that share it; another for metrics."""

from __future__ import annotations

import gc
import logging
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from todo_api.server.supervisor import Post, ServerError, Supervisor
from todo_api.server.worker import BACKLOG, raise_file_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from todo_api.observability.metrics import Metrics

__all__ = ["ServerError", "serve"]

# One thread: whoever scrapes as fast as it can gets one process's spare time, and only that.
METRICS_THREADS = 1
METRICS_TIMEOUT_S = 10  # Prometheus gives up then too, if nobody told it otherwise

logger = logging.getLogger("todo_api.server")


def serve(
    make_app: Callable[[], WSGIApplication],
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    request_timeout: float,
    ready: Callable[[str], None] | None = None,
    metrics: Metrics | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit status, 1 if accepted requests had to be cut off.

    make_app runs in each worker process after the fork, so it is the place to open connections.
    `ready` gets the URL once all workers serve. `metrics` are served by a process of its own: nothing
    that happens to it happens to the workers. Raises ServerError if an address can't be had or a worker
    can't start. Has to be called in the main thread, of a process without other threads.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(host, port))
        posts = [Post(listener, make_app, threads, request_timeout)] * workers
        if metrics is not None:
            asked = stack.enter_context(_listen(metrics.host, metrics.port))
            posts.append(Post(asked, metrics.page, METRICS_THREADS, METRICS_TIMEOUT_S))
            logger.info("metrics on %s/metrics", _url(asked))
        raise_file_limit()
        # What is there now stays shared with the workers: their collector never writes to it.
        gc.collect()
        gc.freeze()
        url = _url(listener)
        return Supervisor(posts, metrics).run(lambda: ready(url) if ready is not None else None)


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
