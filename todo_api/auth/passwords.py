"""Password hashes: bcrypt, in a bounded number of threads of low priority."""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple, TypeVar

import bcrypt
from flask import Flask, Response, current_app

from todo_api.web import problems
from todo_api.web.problems import Problem

# Part of every stored hash: never change it.
_PEPPER = b"todo-api password v1"
MAX_WAIT_S = 1.0  # a password that would wait longer is refused at once
PATIENCE_S = 4.0  # a password that still waits then, because the machine is busy, is refused
_S_PER_ITERATION = 0.00006  # a first estimate, corrected by each hash

Result = TypeVar("Result")


View = TypeVar("View", bound=Callable[..., Any])


def hashes(view: View) -> View:
    """Mark a view that hashes a password: its requests wait in a line of their own."""
    view.hashes = True  # type: ignore[attr-defined]
    return view


class Saturated(Exception):
    """More passwords wait to be hashed than can be hashed in time."""


def init_app(app: Flask, hasher: "Hasher") -> None:
    """Give the application its hasher, and an answer for when that is saturated."""
    app.extensions["hasher"] = hasher
    app.register_error_handler(Saturated, _saturated)


def hasher() -> "Hasher":
    """The application's hasher."""
    return current_app.extensions["hasher"]  # type: ignore[no-any-return]


def _saturated(error: Saturated) -> Response:
    return problems.answer(Problem("unavailable", "Too many passwords to check at this moment."))


class HashLoad(NamedTuple):
    """How busy a hasher is, and what it has done since it was made."""

    running: int
    waiting: int
    hashes: int
    cpu_s: float
    waited_s: float
    refused: int


class Hasher:
    """Hashes on `slots` threads: a burst of logins queues here and does not delay requests for tasks.

    `prepare_thread` runs first on each of these threads, for instance to lower its priority.
    """

    def __init__(
        self, rounds: int, slots: int, prepare_thread: Callable[[], None] | None = None
    ) -> None:
        self._rounds = rounds
        self._slots = slots
        # A valid hash of an unknown password, so that a login with an unknown address takes as long.
        self._dummy = bcrypt.gensalt(rounds) + b"." * 31
        self._threads = ThreadPoolExecutor(slots, "bcrypt", initializer=prepare_thread)
        self._lock = threading.Lock()
        self._pending = 0
        self._typical_s: float = _S_PER_ITERATION * 2**rounds
        self._hashes, self._cpu_s, self._waited_s, self._refused = 0, 0.0, 0.0, 0

    def hash(self, password: str) -> str:
        """The hash to store, 60 characters. Raises Saturated."""
        salt = bcrypt.gensalt(self._rounds)
        hashed = self._run(lambda: bcrypt.hashpw(_prepared(password), salt))
        return hashed.decode("ascii")

    def check(self, password: str, stored: str | None) -> bool:
        """Whether `stored` is the password's hash; None never is, but takes as long. Raises Saturated."""
        target = self._dummy if stored is None else stored.encode("ascii")
        matches = self._run(lambda: bcrypt.checkpw(_prepared(password), target))
        return matches and stored is not None

    def load(self) -> HashLoad:
        """How busy the hasher is now."""
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

    @property
    def typical_s(self) -> float:
        """How many seconds of CPU a hash takes."""
        return self._typical_s

    def most_waiting(self) -> int:
        """How many more passwords than there are slots can be hashed within MAX_WAIT_S."""
        return max(self._slots, int(MAX_WAIT_S / self._typical_s * self._slots))

    def close(self) -> None:
        """Wait for the threads to finish, and end them."""
        self._threads.shutdown()

    def _run(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            ahead = self._pending - self._slots + 1
            expected_wait_s = ahead / self._slots * self._typical_s
            if self._pending >= self._slots and expected_wait_s > MAX_WAIT_S:
                self._refused += 1
                raise Saturated
            self._pending += 1
        try:
            hashing = self._threads.submit(self._timed, work, time.monotonic())
            wait([hashing], PATIENCE_S)
            if hashing.cancel():  # the hashing has not begun
                with self._lock:
                    self._refused += 1
                raise Saturated
            return hashing.result()
        finally:
            with self._lock:
                self._pending -= 1

    def _timed(self, work: Callable[[], Result], asked: float) -> Result:
        waited = time.monotonic() - asked
        # CPU time, not wall time, which on a busy machine includes the wait for a core.
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
    """A digest of 44 bytes: bcrypt would ignore what follows the 72nd byte or a NUL of the password."""
    digest = hmac.digest(_PEPPER, password.encode("utf-8"), hashlib.sha256)
    return base64.b64encode(digest)
