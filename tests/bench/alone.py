"""The service against a constant on the same stack; its workers; its start."""

from pathlib import Path

import psycopg

from todo_api.settings.config import Config

from .load import Load, Request
from .processes import children, settle, unique_mib_of
from .readings import OURS, Run
from .rig import Rig
from .service import (
    MeasuredService,
    add_tasks,
    constant,
    new_database,
    seconds_to_first_200,
    service,
    sign_up,
    tasks_of,
)

TASKS = 1000
STARTS = 5


def measure_constant(rig: Rig, run: Run) -> None:
    """A get against an answer that nobody had to look up."""
    url = new_database(rig.server, "constant")
    with service(url) as ours, constant(Config().threads) as floor:
        gets = _gets(rig, "constant", url, ours)
        loads = [Load(OURS, "get", ours, gets), Load("constant", "get", floor, gets)]
        run.readings += rig.in_turn("constant", loads)


def measure_workers(rig: Rig, run: Run) -> None:
    """One process and two on the same database, one of them loaded at a time."""
    url = new_database(rig.server, "workers")
    with service(url, workers=1) as one, service(url, workers=2) as two:
        gets = _gets(rig, "workers", url, one)
        loads = [Load("1", "get", one, gets), Load("2", "get", two, gets)]
        run.readings += rig.in_turn("workers", loads)


def measure_start(rig: Rig, run: Run) -> None:
    """Starts on a database that is there; then the memory of two workers that have served and rest."""
    url = new_database(rig.server, "start")
    run.start_s = [seconds_to_first_200(url) for _ in range(STARTS)]
    with service(url, workers=2) as two:
        rig.in_turn("start", [Load("2", "get", two, _gets(rig, "start", url, two))])
        settle(two.pid)
        run.memory_mib = [unique_mib_of(worker) for worker in children(two.pid)]


def _gets(rig: Rig, name: str, url: str, one: MeasuredService) -> Path:
    """Requests for the tasks of a new user with 1 000 of them."""
    user = sign_up(one, "ann")
    with psycopg.connect(url, autocommit=True) as connection:
        add_tasks(connection, user, TASKS)
        connection.execute("VACUUM (ANALYZE)")
        tasks = tasks_of(connection, user)
    return rig.file(name, [Request("GET", f"{user.path}/{task}", user.token) for task in tasks])
