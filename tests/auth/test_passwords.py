"""Hashing is bounded: what can't be hashed in time is refused, and nothing else has to wait for it."""

import os
import subprocess
import sys
import threading
import time

import bcrypt
import pytest

from support.waiting import until
from todo_api.auth import passwords
from todo_api.auth.passwords import Hasher, Saturated
from todo_api.processes.machine import hash_in_background


@pytest.fixture
def hasher():
    made = Hasher(rounds=4, slots=2, prepare_thread=hash_in_background)
    yield made
    made.close()


def test_a_hash_checks_its_own_password_only(hasher):
    stored = hasher.hash("correct horse")
    assert hasher.check("correct horse", stored)
    assert not hasher.check("correct horsf", stored)
    assert not hasher.check("correct horse", None)


def test_the_same_password_never_has_the_same_hash(hasher):
    assert hasher.hash("correct horse") != hasher.hash("correct horse")


def test_a_nul_ends_no_password(hasher):
    stored = hasher.hash("abc\0def")
    assert not hasher.check("abc\0xyz", stored)
    assert not hasher.check("abc", stored)


def test_a_stored_hash_of_this_version_stays_good(hasher):
    stored = "$2b$04$abcdefghijklmnopqrstuugkKzLiN7llrcSmUHwqPGkjajPTPtR82"
    assert hasher.check("correct horse battery", stored)


def run_all(work, count):
    results = []

    def one():
        try:
            results.append(work())
        except Saturated:
            results.append("saturated")

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def test_no_more_than_the_slots_hash_at_a_time_and_what_waits_too_long_is_refused(monkeypatch):
    gate, running = threading.Semaphore(0), []
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: running.append(1) or gate.acquire(timeout=20))
    hasher = Hasher(rounds=12, slots=2)  # about 0.25 s each
    threads, results = run_all(lambda: hasher.check("x", None), 40)
    # 2 hash, and 8 wait for at most MAX_WAIT_S behind them
    deadline = time.monotonic() + 20
    while (len(results), len(running)) != (30, 2) and time.monotonic() < deadline:
        threads[0].join(0.01)
    assert results == ["saturated"] * 30
    assert len(running) == 2
    gate.release(40)
    for thread in threads:
        thread.join(20)
    hasher.close()
    assert results[30:] == [False] * 10
    assert len(running) == 10


def test_as_many_may_wait_as_can_be_hashed_in_time():
    dear, cheap = Hasher(rounds=12, slots=2), Hasher(rounds=4, slots=2)
    assert dear.most_waiting() == 8  # of about 0.25 s each
    assert cheap.most_waiting() > 1000
    for hasher in (dear, cheap):
        hasher.close()


def test_what_waits_longer_than_was_expected_is_refused(monkeypatch):
    """As on a machine that others keep busy: it would hold its thread for as long as they like."""
    gate = threading.Semaphore(0)
    monkeypatch.setattr(passwords, "PATIENCE_S", 0.1)
    monkeypatch.setattr(bcrypt, "hashpw", lambda *_: gate.acquire(timeout=20) and b"hash")
    hasher = Hasher(rounds=4, slots=1)
    threads, results = run_all(lambda: hasher.hash("correct horse"), 3)
    until(lambda: results == ["saturated"] * 2)
    gate.release(2)
    for thread in threads:
        thread.join(20)
    assert results == ["saturated"] * 2 + ["hash"]
    assert hasher.hash("correct horse") == "hash"  # nothing is left of those who were refused
    hasher.close()


def test_many_cheap_ones_are_all_hashed(hasher):
    threads, results = run_all(lambda: len(hasher.hash("correct horse")), 50)
    for thread in threads:
        thread.join(20)
    assert results == [60] * 50


def test_one_that_had_to_wait_for_a_core_does_not_make_all_look_slow(hasher, monkeypatch):
    gate = threading.Semaphore(0)
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: gate.acquire(timeout=0.5))
    hasher.check("x", None)  # waits, and computes nothing
    monkeypatch.setattr(bcrypt, "hashpw", lambda *_: gate.acquire(timeout=20) and b"hash")
    threads, results = run_all(lambda: hasher.hash("correct horse"), 50)
    gate.release(50)
    for thread in threads:
        thread.join(20)
    assert results == ["hash"] * 50


def test_hashing_yields_to_everything_else(hasher, monkeypatch):
    priorities = []

    def look(*_):
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return True

    monkeypatch.setattr(bcrypt, "checkpw", look)
    hasher.check("x", None)
    assert priorities[0] > os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.slow
def test_a_service_that_yields_itself_needs_no_privilege_to_hash():
    """From nice 15 to a lower number takes one, and without it nobody could sign in."""
    script = """
import os
from todo_api.auth.passwords import Hasher
from todo_api.processes.machine import hash_in_background
os.nice(15)
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
hasher = Hasher(rounds=4, slots=1, prepare_thread=hash_in_background)
assert hasher.check("x", None) is False
hasher.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
