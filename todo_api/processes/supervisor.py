"""The parent process: starts the children, replaces those that die, and ends them all at a stop."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import selectors
import signal
import time
from typing import TYPE_CHECKING

from todo_api.processes.child_process import Child, start_child
from todo_api.processes.heartbeat import LOOK_SECONDS, LivedTime, Watch
from todo_api.processes.role import DRAIN_SECONDS, READY
from todo_api.processes.signals import ENDING, signal_name, signals_on_a_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from todo_api.observability.metrics import Metrics
    from todo_api.processes.heartbeat import Heartbeats
    from todo_api.processes.role import Role

KILL_SECONDS = DRAIN_SECONDS + 1.0
SHORT_LIFE_SECONDS = 5.0
PAUSE_SECONDS = 1.0  # before a child that lived less than SHORT_LIFE_SECONDS is replaced
SECOND_CTRL_C_SECONDS = 0.5

logger = logging.getLogger("todo_api.server")


class ServerError(Exception):
    """The service can't run; the message is for the operator."""


class Supervisor:
    """Keeps one child running for each role. Looks at them once a second, and at each signal or message."""

    def __init__(
        self, roles: Sequence[Role], beats: Heartbeats, metrics: Metrics | None = None
    ) -> None:
        self._roles = roles
        self._beats = beats
        self._lived = LivedTime()
        self._metrics = metrics
        self._children: dict[int, Child] = {}
        self._due: list[float] = []  # the times at which children have to be started
        self._is_up = False
        self._stopped_at: float | None = None
        self._failure: ServerError | None = None
        self._killed = False
        self._status = 0

    def run(self, ready: Callable[[], None]) -> int:
        """Run and return the exit status; call `ready` once all children serve. Raises ServerError."""
        self._due = [time.monotonic()] * len(self._roles)
        try:
            with signals_on_a_socket() as wake:
                while self._children or self._stopped_at is None:
                    self._start_due()
                    self._wait(wake)
                    self._reap()
                    self._kill_overdue()
                    self._replace_hung()
                    self._tell_who_serves(ready)
        finally:
            for pid in self._children:  # only after an exception
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        if self._failure is not None:
            raise self._failure
        logger.info("stopped")
        return self._status

    def _tell_who_serves(self, ready: Callable[[], None]) -> None:
        serving = [child for child in self._children.values() if child.serves]
        if self._metrics is not None:
            self._metrics.workers_serve(sum(child.role.serves_clients for child in serving))
        if not self._is_up and len(serving) == len(self._roles):
            self._is_up = True
            ready()

    def _start_due(self) -> None:
        now = time.monotonic()
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            taken = {child.slot for child in self._children.values()}
            slot = next(slot for slot in itertools.count() if slot not in taken)
            try:
                child = start_child(slot, self._roles, self._children.values())
            except OSError as error:  # no memory, too many processes
                self._replace(f"a process can't be started: {error.strerror}", PAUSE_SECONDS)
            else:
                child.watch = Watch(self._beats, slot, child.pid)
                self._children[child.pid] = child

    def _wait(self, wake: socket.socket) -> None:
        deadlines = list(self._due)
        if self._stopped_at is None:
            deadlines.append(time.monotonic() + LOOK_SECONDS)
        if self._stopped_at is not None and not self._killed:
            deadlines.append(self._stopped_at + KILL_SECONDS)
        timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            for child in self._children.values():
                if not child.serves and not child.error:
                    selector.register(child.link, selectors.EVENT_READ, child)
            for key, _ in selector.select(timeout):
                if isinstance(key.data, Child):
                    self._read_message(key.data)
                else:
                    for number in wake.recv(4096):
                        if number in ENDING:
                            self._stop(signal.Signals(number))

    def _read_message(self, child: Child) -> None:
        with contextlib.suppress(BlockingIOError):
            message = child.link.recv(4096)
            if message == READY:
                child.serves = True
                logger.info("%s started", child.name)
            else:
                child.error = message.decode(errors="replace")

    def _reap(self) -> None:
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == 0:
                continue
            del self._children[pid]
            if not child.serves and not child.error:
                self._read_message(child)
            child.link.close()
            self._judge_end(child, os.waitstatus_to_exitcode(status))

    def _judge_end(self, child: Child, code: int) -> None:
        how = f"exited with status {code}" if code >= 0 else f"was ended by {signal_name(-code)}"
        if self._metrics is not None and child.role.serves_clients:
            is_replaced = self._is_up and self._stopped_at is None
            self._metrics.worker_ended(child.slot, is_replaced=is_replaced)
        if self._stopped_at is None:
            is_young = time.monotonic() - child.started < SHORT_LIFE_SECONDS
            why = child.error or f"{child.name} {how}"
            self._replace(why, PAUSE_SECONDS if is_young else 0.0)
        elif child.role.serves_clients and (
            code == -signal.SIGKILL or (child.serves and code != 0)
        ):
            logger.warning("%s %s", child.name, how)
            self._status = 1

    def _replace(self, why: str, pause: float) -> None:
        """Schedule a replacement in `pause` seconds, or give up if the service has never been up."""
        if self._is_up:
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
            for role in self._roles:
                role.listener.close()
            for pid, child in self._children.items():
                os.kill(pid, signal.SIGTERM if child.role.serves_clients else signal.SIGKILL)
            if number is not None:
                logger.info("%s: finishing the accepted requests", number.name)
        elif number == signal.SIGINT and now - self._stopped_at > SECOND_CTRL_C_SECONDS:
            # Not earlier: some launchers forward a Ctrl-C that the terminal has sent to all processes anyway.
            self._kill("a second SIGINT")

    def _kill_overdue(self) -> None:
        if self._stopped_at is None or self._killed:
            return
        if time.monotonic() >= self._stopped_at + KILL_SECONDS:
            self._kill(f"still busy after {KILL_SECONDS:g} s")

    def _replace_hung(self) -> None:
        """End the children that hang: _reap then sees their end, and replaces them."""
        passed, now = self._lived.look(), time.monotonic()
        if self._stopped_at is not None:
            return
        for child in self._children.values():
            if child.told_to_end is not None:
                if now >= child.told_to_end + KILL_SECONDS:
                    os.kill(child.pid, signal.SIGKILL)
            elif child.watch is not None and (why := child.watch.look(passed, child.serves)):
                logger.error("%s hangs: %s", child.name, why)
                child.told_to_end = now
                if self._metrics is not None:
                    self._metrics.worker_hung()
                # While its loop turns, it can finish its other requests.
                loop_turns = child.watch.is_turning
                os.kill(child.pid, signal.SIGTERM if loop_turns else signal.SIGKILL)

    def _kill(self, why: str) -> None:
        self._killed = True
        for pid, child in self._children.items():
            logger.warning("%s: %s is killed", why, child.name)
            os.kill(pid, signal.SIGKILL)
