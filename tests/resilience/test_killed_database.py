"""PostgreSQL is killed under writes, as by a power cut: what was acknowledged stays, and the service recovers.

FAULT_ROUNDS=20 kills it more often than the usual 3 times.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import Server, a_server
from psycopg.conninfo import make_conninfo
from waiting import until

from resilience.served import Client, Service, serving
from resilience.writers import Writers

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
WRITES = 500  # acknowledged between two kills
WRITERS = int(os.environ.get("W", "20"))
REFUSED_S = 2
RECOVERED_S = 5


@pytest.fixture
def database() -> Iterator[Server]:
    with a_server() as server:
        server.make()
        yield server


@pytest.fixture
def service(database: Server, tmp_path: Path) -> Iterator[Service]:
    database.start(fsync="on")
    database.ask("CREATE DATABASE todo")
    url = make_conninfo(database.url, dbname="todo")
    with serving(url, tmp_path, WORKERS=os.environ.get("WK","2"), THREADS=os.environ.get("T","16"), AUTH_RATE_LIMIT="1000000 per minute") as service:
        yield service
        assert service.leaks() == []


def test_no_acknowledged_write_is_lost_and_the_service_recovers(database, service) -> None:
    recovered = []
    lives = []
    with Writers(service, WRITERS) as writers, service.client() as client:
        def status(path):
            t=time.monotonic()
            s= client.ask("GET", path).status
            lives.append((time.monotonic()-t, path, s))
            return s
        for _ in range(ROUNDS):
            enough = writers.acknowledged + WRITES
            until(lambda: writers.acknowledged >= enough)
            lost = time.monotonic()
            database.kill()
            until(lambda: status("/health/ready") == 503)
            r503=time.monotonic()
            assert status("/health/live") == 200
            refused = writers.statuses[503] + 3*WRITERS
            until(lambda: writers.statuses[503] >= refused)
            assert status("/health/live") == 200
            t=time.monotonic()
            database.start(fsync="on")
            back = time.monotonic()
            until(lambda: writers.all_wrote_since(back))
            recovered.append(time.monotonic() - back)
            until(lambda: status("/health/ready") == 200)
            print("kill->ready503", r503-lost, "outage", back-lost, "start", back-t, "recovered", recovered[-1], "503:", writers.slowest_s(503))
    print(writers.statuses, writers.unknown, {s: writers.slowest_s(s) for s in writers.statuses}, max(lives))
    print(sorted(lives)[-5:])
    assert writers.contradictions() == []
