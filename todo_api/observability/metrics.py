"""The metrics for Prometheus: each process counts in its own files, and one process adds them up.

Imported only when METRICS_PORT is set. prometheus_client's multiprocess mode keeps the numbers of a process
in memory-mapped files. Here the files are named by the worker's slot instead of its pid. So a replacement
continues the counters of the worker that died, and there are never more files than slots.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, make_wsgi_app, multiprocess, values

from todo_api.observability.counted import Counted
from todo_api.observability.line_load import NO_LINES, LineLoad
from todo_api.observability.routes import route_name
from todo_api.observability.series import CUT_OFF, EVENTS, LIMITS, SERVER_REFUSALS, Series
from todo_api.upkeep.housekeeping import SWEEPS
from todo_api.web.hosts import AllowedHosts
from todo_api.web.request import current_request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask, Response
    from prometheus_client import Counter, Histogram

UNMATCHED = "(none)"  # the route of all unknown paths: clients can invent any number of them
OTHER = "(other)"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TEXT = [("Content-Type", "text/plain; charset=utf-8")]
# In memory: a file mapped from a disk sometimes waits for the disk, and a full disk would kill the process.
_MEMORY = Path("/dev/shm")  # noqa: S108 (mkdtemp makes a private folder in it)


class Metrics:
    """The metrics of one service, and the address to serve them on. Made before the workers are forked."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self._folder = tempfile.mkdtemp(prefix="todo-api-metrics-", dir=memory)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = self._folder
        self._process = "parent"
        values.ValueClass = values.MultiProcessValue(lambda: self._process)  # type: ignore[no-untyped-call]
        self._series = Series()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- in the parent ---

    def workers_serve(self, number: int) -> None:
        """Set the number of workers that serve now."""
        self._series.workers.set(number)

    def worker_hung(self) -> None:
        """Count a worker that hangs."""
        self._series.hung.inc()

    def worker_ended(self, slot: int, *, is_replaced: bool) -> None:
        """Remove a worker's gauges; its counters stay."""
        multiprocess.mark_process_dead(slot, self._folder)  # type: ignore[no-untyped-call]
        if is_replaced:
            self._series.lost.inc()

    # --- in a worker ---

    def take_slot(self, slot: int) -> None:
        """Count as the worker of this slot from now on."""
        self._process = str(slot)

    def init_app(self, app: Flask) -> None:
        """Count what `app` answers, and have `read_load` read its pool and its hasher."""
        self._database = app.extensions["database"]
        self._hasher = app.extensions["hasher"]
        self._unsent = app.extensions["unsent"]
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._seen: dict[Counter, float] = {}
        for rule in app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                self._series.durations.labels(method, route_name(rule.rule))
        for event in EVENTS:
            self._series.events.labels(event)
        for rule in app.url_map.iter_rules():
            if hasattr(app.view_functions[rule.endpoint], "hashes"):
                for limit in LIMITS:
                    self._series.rate_limited.labels(route_name(rule.rule), limit)
        for status in SERVER_REFUSALS:
            self._series.server_refusals.labels(status)
        for reason in CUT_OFF:
            self._series.cut_off.labels(reason)
        for kind in SWEEPS:
            self._series.removed.labels(kind)
        self._series.database_errors.labels("PoolTimeout")
        self.read_load()
        # Reserve the memory now, while a failure raises OSError. Later a missing page would kill the process.
        if hasattr(os, "posix_fallocate"):  # not on macOS
            for file in Path(self._folder).glob(f"*_{self._process}.db"):
                with file.open("r+b") as opened:
                    os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
        app.after_request(self._count_answer)

    def _count_answer(self, response: Response) -> Response:
        request = current_request()
        route = route_name(request.url_rule.rule) if request.url_rule else UNMATCHED
        key = request.method, route, response.status_code
        found = self._known.get(key)
        if found is None:
            method = request.method if request.method in METHODS else OTHER
            found = (
                self._series.requests.labels(method, route, response.status_code),
                self._series.durations.labels(method, route),
            )
            if method != OTHER:
                self._known[key] = found
        found[0].inc()
        found[1].observe(time.perf_counter() - request.began)
        event = request.auth_event(response.status_code)
        # After a 5xx it is not known whether a refusal was recorded.
        if event and response.status_code < 500:
            self._series.events.labels(event).inc()
            if event == "rate_limited":
                self._series.rate_limited.labels(route, request.limited_by).inc()
        return response

    def count_server_refusal(self, status: int) -> None:
        """Count an answer that the server gave without the application."""
        self._series.server_refusals.labels(status).inc()

    def count_cut_off(self, reason: str) -> None:
        """Count a connection that was closed because its client read too slowly."""
        self._series.cut_off.labels(reason).inc()

    def count_removed(self, kind: str, rows: int) -> None:
        """Count expired rows that the housekeeping removed."""
        self._series.removed.labels(kind).inc(rows)

    def read_load(self, lines: LineLoad = NO_LINES) -> None:
        """Read how busy the pool, the hasher and the lines of the server are.

        Called once a second, so that no request pays for it.
        """
        (pool, errors), hasher = self._database.load(), self._hasher.load()
        unsent = self._unsent.load()
        self._series.unsent.set(unsent.held)
        self._series.connections.labels("in_use").set(pool.in_use)
        self._series.connections.labels("idle").set(pool.idle)
        self._series.most_connections.set(pool.limit)
        self._series.waiting.set(pool.waiting)
        self._series.hashing.labels("running").set(hasher.running)
        self._series.hashing.labels("waiting").set(hasher.waiting + lines.hashing_waits)
        totals: list[tuple[Counter, float]] = [
            (self._series.waits, pool.waits),
            (self._series.waited, pool.waited_s),
            (self._series.hashes, hasher.hashes),
            (self._series.hashed, hasher.cpu_s),
            (self._series.queued, hasher.waited_s),
            (self._series.hash_refusals, hasher.refused + lines.hashing_refused),
            (self._series.user_refusals, lines.users_refused),
            (self._series.unsent_refusals, unsent.refused),
        ]
        totals += [(self._series.database_errors.labels(r), n) for r, n in errors.items()]
        for counter, total in totals:
            counter.inc(total - self._seen.get(counter, 0))
            self._seen[counter] = total

    # --- in the process that serves the metrics ---

    def page(self) -> WSGIApplication:
        """The application that serves /metrics."""
        registry = CollectorRegistry()
        registry.register(Counted(self._folder))
        expose = make_wsgi_app(registry)
        # Not those of ALLOWED_HOSTS: Prometheus asks by address, and a proxy for people does not lead here.
        hosts = AllowedHosts((), self.host)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if not hosts.allow(environ):
                start_response("421 Misdirected Request", _TEXT)
                return [b"Ask for localhost, or set METRICS_HOST.\n"]
            if environ["PATH_INFO"] == "/metrics":
                return expose(environ, start_response)  # type: ignore[no-any-return]
            start_response("404 Not Found", _TEXT)
            return [b"The metrics are at /metrics.\n"]

        return app
