"""How a request's cost changes with the table: the tasks of the user, and those of all others."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg

from plans.fill import fill

from .load import Load, Request
from .marks import EMPTY, GROWING, HEAVY
from .readings import Run
from .rig import Rig
from .service import MeasuredService, add_tasks, new_database, service, sign_up, tasks_of

SIZES = (10_000, 100_000, 1_000_000)
TASKS_PER_USER = 100  # on average, of the others
# More than a page in both cases: an answer that tells of a next page costs more than one that does not.
TASKS, MANY_TASKS = 40, 10_000
PAGE = 20
Fill = Callable[[psycopg.Connection[Any]], object]


def measure_growth(rig: Rig, run: Run) -> None:
    """The same user on an empty table, with 10 000 tasks, and among ever more tasks of others."""
    fills: dict[str, Fill] = {EMPTY: _leave_empty, HEAVY: _leave_empty}
    fills |= {of_others(size): _with_others(size) for size in rig.sizes}
    with ExitStack() as stack:
        loads: list[Load] = []
        for target, filled in fills.items():
            url = new_database(rig.server, "growth_" + target.replace(" ", "_"))
            with psycopg.connect(url, autocommit=True) as connection:
                filled(connection)
                one = stack.enter_context(service(url))
                loads += _loads(rig, connection, one, target)
        for scenario in GROWING:
            found = [load for load in loads if load.scenario == scenario]
            run.readings += rig.in_turn("growth", found)


def of_others(tasks: int) -> str:
    """The name of a database with so many tasks of others."""
    return f"{tasks:,} of others".replace(",", " ")


def _leave_empty(connection: psycopg.Connection[Any]) -> None:
    pass


def _with_others(tasks: int) -> Fill:
    return lambda connection: fill(connection, tasks=tasks, users=tasks // TASKS_PER_USER)


def _loads(
    rig: Rig, connection: psycopg.Connection[Any], one: MeasuredService, target: str
) -> list[Load]:
    """What a user is asked for who has the tasks that `target` says, and one more who creates some."""
    reader, writer = sign_up(one, "reader"), sign_up(one, "writer")
    for user in (reader, writer):
        add_tasks(connection, user, MANY_TASKS if target == HEAVY else TASKS)
    connection.execute("VACUUM (ANALYZE)")
    asked: dict[str, list[Request]] = {
        "get": [
            Request("GET", f"{reader.path}/{task}", reader.token)
            for task in tasks_of(connection, reader)[:1000]
        ],
        "create": [Request("POST", writer.path, writer.token, {"title": "Buy bread"})],
        "list20": [Request("GET", f"{reader.path}?limit={PAGE}", reader.token)],
    }
    return [
        Load(target, scenario, one, rig.file(f"{target} {scenario}", requests))
        for scenario, requests in asked.items()
    ]
