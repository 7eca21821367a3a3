"""The parent of the worker processes, and of the one that serves metrics: starts, replaces, ends them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import select
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from todo_api.server.worker import DRAIN_SECONDS, READY, run_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from wsgiref.types import WSGIApplication

    from todo_api.observability.metrics import Metrics

KILL_SECONDS = DRAIN_SECONDS + 1.0
SHORT_LIFE_SECONDS = 5.0
PAUSE_SECONDS = 1.0  # before a worker that lived shorter than that is replaced
SECOND_CTRL_C_SECONDS = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

logger = logging.getLogger("todo_api.server")


class ServerError(Exception):
    """The service can't run; the message is for the operator."""


class Post(NamedTuple):
    """What a process serves."""

    listener: socket.socket
    make_app: Callable[[], WSGIApplication]
    threads: int
    request_timeout: float


@dataclass
class _Worker:
    pid: int
    place: int  # among the posts; a new one takes that of the one it replaces
    name: str
    link: socket.socket  # READY or an error comes out of it; its closing tells the worker to end
    started: float = field(default_factory=time.monotonic)
    serves: bool = False
    error: str = ""


class Supervisor:
    """Keeps a process running at each post; asleep until a signal, a process's word or a date.

    With `metrics` the last post is that of the process that serves them. Of the service's end it has
    no part: nobody waits for it, and how it ends says nothing.
    """

    def __init__(self, posts: Sequence[Post], metrics: Metrics | None = None) -> None:
        self._posts = posts
        self._metrics = metrics
        self._workers: dict[int, _Worker] = {}
        self._due: list[float] = []  # when workers are to be started
        self._up = False
        self._stopped_at: float | None = None
        self._failure: ServerError | None = None
        self._killed = False
        self._status = 0

    def run(self, ready: Callable[[], None]) -> int:
        """The exit status; calls `ready` once all workers serve. Raises ServerError."""
        self._due = [time.monotonic()] * len(self._posts)
        try:
            with _signals() as wake:
                while self._workers or self._stopped_at is None:
                    self._start_due()
                    self._wait(wake)
                    self._reap()
                    self._cut_overdue()
                    serving = [worker for worker in self._workers.values() if worker.serves]
                    if self._metrics is not None:
                        self._metrics.workers_serve(sum(map(self._does_work, serving)))
                    if not self._up and len(serving) == len(self._posts):
                        self._up = True
                        ready()
        finally:
            for pid in self._workers:  # only after an exception
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        if self._failure is not None:
            raise self._failure
        logger.info("stopped")
        return self._status

    def _does_work(self, worker: _Worker) -> bool:
        """Whether it answers the service's clients."""
        return self._metrics is None or worker.place < len(self._posts) - 1

    def _start_due(self) -> None:
        now = time.monotonic()
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            try:
                self._start()
            except OSError as error:  # no memory, too many processes
                self._lost(f"a process can't be started: {error.strerror}", PAUSE_SECONDS)

    def _start(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or what is buffered would be written twice
        taken = {worker.place for worker in self._workers.values()}
        place = next(place for place in itertools.count() if place not in taken)
        ours, theirs = socket.socketpair()
        with theirs:
            # Until the child has handlers of its own, a signal would run into its parent's.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            try:
                pid = os.fork()
                if pid == 0:
                    ours.close()
                    self._become_worker(theirs, mask, place)
            except OSError:
                ours.close()
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ours.setblocking(False)
        worker = self._workers[pid] = _Worker(pid, place, f"worker {pid}", ours)
        if not self._does_work(worker):
            worker.name = f"metrics process {pid}"

    def _become_worker(
        self, link: socket.socket, mask: set[int | signal.Signals], place: int
    ) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            # The terminal sends Ctrl-C to all processes; the parent decides what it means. Until
            # the worker serves it has nothing to drain, so that SIGTERM simply ends it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            # A copy of another worker's link would keep that one from seeing the parent's end.
            for worker in self._workers.values():
                worker.link.close()
            status = self._serve(link, place)
        except BaseException:
            logger.exception("the worker failed")
        finally:
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            # Not by way of the parent's exit handlers and `finally`s: they are the parent's to run.
            os._exit(status)

    def _serve(self, link: socket.socket, place: int) -> int:
        post = self._posts[place]
        for other in self._posts:  # or their addresses would not be free before this process ends
            if other.listener is not post.listener:
                other.listener.close()
        if self._metrics is None or place < len(self._posts) - 1:
            return run_worker(link, place, *post, metrics=self._metrics)
        status = run_worker(link, place, *post)
        if _is_hung_up(link):  # the parent is gone, and nobody else is left to do it
            self._metrics.remove()
        return status

    def _wait(self, wake: socket.socket) -> None:
        dates = list(self._due)
        if self._stopped_at is not None and not self._killed:
            dates.append(self._stopped_at + KILL_SECONDS)
        timeout = max(0.0, min(dates) - time.monotonic()) if dates else None
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            for worker in self._workers.values():
                if not worker.serves and not worker.error:
                    selector.register(worker.link, selectors.EVENT_READ, worker)
            for key, _ in selector.select(timeout):
                if isinstance(key.data, _Worker):
                    self._hear(key.data)
                else:
                    for number in wake.recv(4096):
                        if number in (signal.SIGTERM, signal.SIGINT):
                            self._stop(signal.Signals(number))

    def _hear(self, worker: _Worker) -> None:
        with contextlib.suppress(BlockingIOError):
            word = worker.link.recv(4096)
            if word == READY:
                worker.serves = True
                logger.info("%s started", worker.name)
            else:
                worker.error = word.decode(errors="replace")

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            del self._workers[pid]
            if not worker.serves and not worker.error:
                self._hear(worker)
            worker.link.close()
            code = os.waitstatus_to_exitcode(status)
            how = f"exited with status {code}" if code >= 0 else f"was ended by {_name(-code)}"
            if self._metrics is not None and self._does_work(worker):
                self._metrics.worker_ended(
                    worker.place, is_replaced=self._up and not self._stopped_at
                )
            if self._stopped_at is None:
                young = time.monotonic() - worker.started < SHORT_LIFE_SECONDS
                why = worker.error or f"{worker.name} {how}"
                self._lost(why, PAUSE_SECONDS if young else 0.0)
            elif not self._does_work(worker):
                pass
            elif code == -signal.SIGKILL or (worker.serves and code != 0):
                logger.warning("%s %s", worker.name, how)
                self._status = 1

    def _lost(self, why: str, pause: float) -> None:
        """Have the worker replaced after `pause` seconds, or give up when it is the first start."""
        if self._up:
            logger.warning("%s; starting another%s", why, f" in {pause:g} s" if pause else "")
            self._due.append(time.monotonic() + pause)
        elif self._failure is None:
            self._failure = ServerError(f"the service could not start: {why}")
            self._stop(None)

    def _stop(self, number: signal.Signals | None) -> None:
        now = time.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
            self._due.clear()
            for post in self._posts:
                post.listener.close()
            for pid, worker in self._workers.items():
                os.kill(pid, signal.SIGTERM if self._does_work(worker) else signal.SIGKILL)
            if number is not None:
                logger.info("%s: finishing what was accepted", number.name)
        elif number == signal.SIGINT and now - self._stopped_at > SECOND_CTRL_C_SECONDS:
            # Not earlier: some launchers pass on the Ctrl-C that the terminal has sent us too.
            self._cut("a second SIGINT")

    def _cut_overdue(self) -> None:
        if self._stopped_at is None or self._killed:
            return
        if time.monotonic() >= self._stopped_at + KILL_SECONDS:
            self._cut(f"still busy after {KILL_SECONDS:g} s")

    def _cut(self, why: str) -> None:
        self._killed = True
        for pid, worker in self._workers.items():
            logger.warning("%s: %s is killed", why, worker.name)
            os.kill(pid, signal.SIGKILL)


def _is_hung_up(link: socket.socket) -> bool:
    """Whether the other end was closed. (A process hears of that before it gets another parent.)"""
    poller = select.poll()
    poller.register(link, 0)
    return any(events & select.POLLHUP for _, events in poller.poll(0))


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that gives the numbers of the signals, which have no effect of their own, then or later."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            # All is finished but the process, and an embedded PostgreSQL that is stopping: a signal
            # that comes again would end them half-way, with a status that says failure.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.set_wakeup_fd(descriptor)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
