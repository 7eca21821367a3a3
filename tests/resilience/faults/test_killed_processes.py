"""The service's own processes are killed under writes: nothing is lost, and nothing stays behind.

FAULT_ROUNDS=20 kills them more often than the usual 3 times.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from resilience.faults.writers import Writers
from support.live_service import LiveService, StartLive
from support.processes import alive, children, keepers
from support.waiting import at_most, until

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
pytestmark = pytest.mark.timeout(300 + 30 * ROUNDS)
WRITES = 200  # acknowledged from one kill to the next
WRITERS = 20
STARTED_S = at_most(5)
MIGRATE = Path(__file__).parents[2] / "migrations" / "migrating_process.py"

_numbers = itertools.count(1)


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def kill_parent(service: LiveService, *, alone: bool) -> list[int]:
    """Kill a service's first process, or all of them; which they were."""
    family = [service.process.pid, *children(service.process.pid)]
    kill(*family[: 1 if alone else None])
    service.process.wait()
    return family


def connections(url: str, condition: str) -> int:
    """How many of the service's connections are so."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todo-api' AND "
    with psycopg.connect(url, autocommit=True) as connection:
        return int(connection.execute(f"{query} {condition}").fetchall()[0][0])


def write_more(writers: Writers) -> None:
    enough = writers.acknowledged + WRITES
    until(lambda: writers.acknowledged >= enough)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(
    module_database_url: str, start: StartLive, figure: Any
) -> None:
    service = start(WORKERS="2")
    parent = service.process.pid
    recovered_s = []
    with Writers(service, WRITERS) as writers:
        for number in range(ROUNDS):
            write_more(writers)
            victim = children(parent)[number % 2]
            kill(victim)
            killed = time.monotonic()
            until(lambda victim=victim: victim not in children(parent))
            until(lambda: len(children(parent)) == 2)
            until(lambda killed=killed: writers.all_wrote_since(killed))
            recovered_s.append(time.monotonic() - killed)
    until(lambda: connections(module_database_url, "state LIKE 'idle in%'") == 0)
    assert writers.contradictions() == []
    assert writers.statuses.keys() == {200, 201, 204}
    assert writers.unknown > 0  # it was killed at work
    figure(
        13,
        f"a worker killed {ROUNDS} times under {WRITERS} writers: acknowledged; of these lost; all"
        " write again after",
        f"{writers.acknowledged}; 0; {max(recovered_s):.2f} s",
    )


def test_a_killed_parent_leaves_nothing_behind_and_the_next_start_is_quick(
    module_database_url: str, start: StartLive, figure: Any
) -> None:
    service = start(WORKERS="2")
    started_s, gone_s = [], []
    with Writers(service, WRITERS) as writers:
        for number in range(ROUNDS):
            write_more(writers)
            family = kill_parent(service, alone=number % 2 == 1)  # with its workers, then without
            killed = time.monotonic()
            service = start(WORKERS="2")  # at once, on the same port
            started_s.append(time.monotonic() - killed)
            until(lambda family=family: not any(map(alive, family)))
            gone_s.append(time.monotonic() - killed)
            until(lambda killed=killed: writers.all_wrote_since(killed))
    service.process.terminate()
    assert service.process.wait() == 0
    until(lambda: connections(module_database_url, "datname = current_database()") == 0)
    assert writers.contradictions() == []
    assert writers.statuses.keys() == {200, 201, 204}
    assert max(started_s) < STARTED_S
    assert max(gone_s) < at_most(10)
    figure(
        13,
        f"the parent killed {ROUNDS} times under {WRITERS} writers, its workers too every other time:"
        " acknowledged; of these lost",
        f"{writers.acknowledged}; 0",
    )
    figure(
        13,
        "the same: next start on the same port within; former workers gone within",
        f"{max(started_s):.2f} s; {max(gone_s):.2f} s",
    )


def test_a_start_after_one_that_was_killed_while_migrating_is_quick(
    postgres: str, admin: psycopg.Connection[Any], start: StartLive, figure: Any
) -> None:
    started_s = []
    for _ in range(ROUNDS):
        name = f"half_migrated_{next(_numbers)}"
        admin.execute(f"CREATE DATABASE {name}")
        url = make_conninfo(postgres, dbname=name)
        with psycopg.connect(url, autocommit=True) as connection:
            hold_up(connection)
            with subprocess.Popen(
                [sys.executable, str(MIGRATE)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            ) as process:
                assert process.stdin is not None
                process.stdin.write(f"{url}\n".encode())
                process.stdin.flush()
                asleep = (
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s"
                )
                until(lambda name=name: connection.execute(asleep, [name]).fetchone())  # noqa: B023
                process.kill()
            connection.execute("DROP EVENT TRIGGER hold_up")
            connection.execute("DROP FUNCTION hold_up")
            assert connection.execute("SELECT to_regclass('tasks')").fetchone() == (None,)
        killed = time.monotonic()
        service = start(url, PORT="0")
        started_s.append(time.monotonic() - killed)
        with service.client() as client:
            service.add(client, service.sign_up(client))
        service.process.terminate()
        assert service.process.wait() == 0
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert max(started_s) < STARTED_S
    figure(13, f"next start, {ROUNDS} times killed while migrating", f"{max(started_s):.2f} s")


def hold_up(connection: psycopg.Connection[Any]) -> None:
    """Have whoever makes the table of the tasks wait for a minute in the midst of it."""
    connection.execute(
        "CREATE FUNCTION hold_up() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF to_regclass('public.tasks') IS NOT NULL THEN PERFORM pg_sleep(60); END IF; END $$"
    )
    connection.execute(
        "CREATE EVENT TRIGGER hold_up ON ddl_command_end WHEN TAG IN ('CREATE TABLE')"
        " EXECUTE FUNCTION hold_up()"
    )


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """The folder of an embedded PostgreSQL, with a path that is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="todo-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account, which has to get in
    yield folder
    until(lambda: not keepers(folder))
    shutil.rmtree(folder)


def test_an_embedded_postgresql_is_handed_over_to_the_next_start(
    data_dir: Path, start: StartLive, figure: Any
) -> None:
    settings = {"DATA_DIR": str(data_dir), "WORKERS": "2"}
    service = start("", **settings)
    host = quote(str(data_dir / "pg" / "data"), safe="")
    service.database_url = f"postgresql:///todo?host={host}&port=5432&user=todo"
    started_s = []
    with Writers(service, WRITERS) as writers:
        for number in range(ROUNDS):
            write_more(writers)
            family = kill_parent(service, alone=number % 2 == 1)  # with its workers, then without
            killed = time.monotonic()
            service = start("", **settings)
            started_s.append(time.monotonic() - killed)
            until(lambda family=family: not any(map(alive, family)))
            until(lambda killed=killed: writers.all_wrote_since(killed))
    assert writers.contradictions() == []
    assert writers.statuses.keys() <= {200, 201, 204, 503}
    kill(service.process.pid, *children(service.process.pid))
    service.process.wait()
    until(lambda: not keepers(data_dir))
    assert not (data_dir / "pg/data/postmaster.pid").exists()  # ended in order
    assert max(started_s) < STARTED_S
    figure(
        13,
        f"the same {ROUNDS} times with the embedded PostgreSQL: acknowledged; of these lost; next start"
        " within",
        f"{writers.acknowledged}; 0; {max(started_s):.2f} s",
    )
