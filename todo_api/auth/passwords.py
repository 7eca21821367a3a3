"""Password hashes: bcrypt, in a bounded number of threads of low priority."""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

import bcrypt

# Part of every stored hash: never change it.
_PEPPER = b"todo-api password v1"
MAX_WAIT_S = 1.0  # what has to wait longer is refused at once
PATIENCE_S = 2.0  # what waits longer all the same, because the machine is busy, is refused then
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
    """Hashes on `slots` threads. A storm of logins queues here, not in front of the tasks.

    `prepare_thread` runs first on each of these threads, for instance to lower its priority.
    """

    def __init__(
        self, rounds: int, slots: int, prepare_thread: Callable[[], None] | None = None
    ) -> None:
        self._rounds = rounds
        self._slots = slots
        # A valid hash of no known password: an unknown address costs the same check as a known one.
        self._dummy = bcrypt.gensalt(rounds) + b"." * 31
        self._threads = ThreadPoolExecutor(slots, "bcrypt", initializer=prepare_thread)
        self._lock = threading.Lock()
        self._pending = 0
        self._typical_s = _S_PER_ITERATION * 2**rounds
        self._hashes, self._cpu_s, self._waited_s, self._refused = 0, 0.0, 0.0, 0

    def hash(self, password: str, others: int = 0) -> str:
        """The hash to store, 60 characters; `others` requests are about to hash too. Raises Saturated."""
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
        # CPU time, not wall time: on a busy machine one hash that waits for a core would make all look slow.
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
    """44 bytes for bcrypt, which reads only 72 bytes and stops at a NUL: so every character counts."""
    digest = hmac.digest(_PEPPER, password.encode("utf-8"), hashlib.sha256)
    return base64.b64encode(digest)
