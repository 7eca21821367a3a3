"""Password hashes: bcrypt, in a bounded number of threads that yield to everything else."""

import base64
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

import bcrypt

from todo_api.server.machine import use_every_core

# Part of every stored hash: never change it.
_PEPPER = b"todo-api password v1"
MAX_WAIT_S = 1.0  # what has to wait longer is refused at once
PATIENCE_S = 2.0  # and what does wait longer, because the machine has other work, is refused then
# More than the process has. Not 10: a hash needs the interpreter at its beginning and end, and on a busy
# machine a thread that has it, but no core, stops all others (200 logins: p95 of tasks 450 to 1 120 ms
# where it is 60 to 90 with 5).
_NICENESS = 5
_S_PER_ITERATION = 0.00006  # a first guess, replaced by what is measured

Result = TypeVar("Result")


class Saturated(Exception):
    """More passwords wait to be hashed than can be hashed in time."""


class HashLoad(NamedTuple):
    """How busy a hasher is, and what it has done since it was made."""

    running: int
    waiting: int
    hashes: int
    cpu_s: float
    waited_s: float
    refused: int


class Hasher:
    """Hashes on `slots` threads. A storm of logins queues here, not in front of the tasks."""

    def __init__(self, rounds: int, slots: int) -> None:
        self._rounds = rounds
        self._slots = slots
        # A valid hash of no known password: an unknown address costs the same check as a known one.
        self._dummy = bcrypt.gensalt(rounds) + b"." * 31
        self._threads = ThreadPoolExecutor(slots, "bcrypt", initializer=_yield_to_others)
        self._lock = threading.Lock()
        self._pending = 0
        self._typical_s = _S_PER_ITERATION * 2**rounds
        self._hashes, self._cpu_s, self._waited_s, self._refused = 0, 0.0, 0.0, 0

    def hash(self, password: str, others: int = 0) -> str:
        """The hash to store, 60 characters. Raises Saturated; `others` are going to ask, too."""
        salt = bcrypt.gensalt(self._rounds)
        hashed = self._run(lambda: bcrypt.hashpw(_prepared(password), salt), others)
        return hashed.decode("ascii")

    def check(self, password: str, stored: str | None, others: int = 0) -> bool:
        """Whether `stored` is the password's hash; never for None, at the same cost. Raises Saturated."""
        target = self._dummy if stored is None else stored.encode("ascii")
        matches = self._run(lambda: bcrypt.checkpw(_prepared(password), target), others)
        return matches and stored is not None

    def load(self) -> HashLoad:
        """How busy it is at this moment."""
        with self._lock:
            running = min(self._pending, self._slots)
            return HashLoad(
                running=running,
                waiting=self._pending - running,
                hashes=self._hashes,
                cpu_s=self._cpu_s,
                waited_s=self._waited_s,
                refused=self._refused,
            )

    def close(self) -> None:
        """End the threads, once they have finished."""
        self._threads.shutdown()

    def _run(self, work: Callable[[], Result], others: int) -> Result:
        with self._lock:
            ahead = self._pending + others - self._slots + 1
            expected_wait_s = ahead / self._slots * self._typical_s
            if self._pending >= self._slots and expected_wait_s > MAX_WAIT_S:
                self._refused += 1
                raise Saturated
            self._pending += 1
        try:
            hashing = self._threads.submit(self._timed, work, time.monotonic())
            wait([hashing], PATIENCE_S)
            if hashing.cancel():  # it has not begun
                with self._lock:
                    self._refused += 1
                raise Saturated
            return hashing.result()
        finally:
            with self._lock:
                self._pending -= 1

    def _timed(self, work: Callable[[], Result], asked: float) -> Result:
        waited = time.monotonic() - asked
        # CPU time: on a busy machine one hash that had to wait for a core would say that all are slow.
        began = time.thread_time()
        result = work()
        took = time.thread_time() - began
        with self._lock:
            self._typical_s += (took - self._typical_s) * 0.2
            self._hashes += 1
            self._cpu_s += took
            self._waited_s += waited
        return result


def _prepared(password: str) -> bytes:
    """44 bytes for bcrypt, which reads only 72 and stops at a NUL: every character counts this way."""
    digest = hmac.digest(_PEPPER, password.encode("utf-8"), hashlib.sha256)
    return base64.b64encode(digest)


def _yield_to_others() -> None:
    """Lower this thread's priority (on Linux a thread has one of its own): tasks come first."""
    use_every_core()
    if hasattr(os, "setpriority"):
        # Never less than the process has: that takes a privilege.
        nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) + _NICENESS
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)  # 19 at most
