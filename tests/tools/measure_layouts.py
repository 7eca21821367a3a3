"""Measure the calls on a plain database, in partitions, through PgBouncer and on Citus, for sql/SCALING.md.

    python tests/tools/measure_layouts.py

PG_BIN names the programs of another PostgreSQL than the wheel's. CITUS_URL, if set, is a superuser's URL of
an empty database on a coordinator whose servers run on this machine. The layouts take turns in each round.
Shown are the CPU of all server processes for a request, the least of all rounds, and the client's median, the
median of all rounds.
"""

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import on_path  # noqa: F401
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support import signed_up
from support.postgres.dba_scripts import distribute, partition
from support.postgres.embedded_server import embedded_server
from support.postgres.pgbouncer import pgbouncer
from todo_api.database.calls import Call, SignedIn
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task
from todo_api.upkeep.migrate import migrate, rollback

USERS, TASKS = 2_000, 100
_FILL = """
INSERT INTO users (user_id, email, password_hash)
SELECT md5('u' || n)::uuid, n || '@example.com', '$2b$04$' || repeat('a', 53)
FROM generate_series(1, {users}) AS n;
INSERT INTO sessions (user_id, id, expires_at)
SELECT md5('u' || n)::uuid, md5('s' || n)::uuid, now() + interval '1 day'
FROM generate_series(1, {users}) AS n;
INSERT INTO tasks (user_id, id, title, revision)
SELECT md5('u' || n)::uuid, md5(n || 't' || k)::uuid, 'Water the plants and call the dentist', k
FROM generate_series(1, {tasks}) AS k CROSS JOIN generate_series(1, {users}) AS n;
INSERT INTO task_counts (user_id, tasks, numbered, text_bytes, revision)
SELECT md5('u' || n)::uuid, {tasks}, {tasks}, 37 * {tasks}, {tasks} FROM generate_series(1, {users}) AS n;
"""
Readings = dict[str, tuple[float, float]]  # of each call: CPU and median, in µs


class Layout:
    """A filled database, and the service's way to it."""

    def __init__(self, name: str, url: str, *, prepared: bool = True) -> None:
        self.name = name
        self.database = Database(url, connections=1, prepared_statements=prepared)
        self._title = f" {conninfo_to_dict(url)['dbname']} "
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT user_id::text, id::text FROM sessions ORDER BY id")
            self.users = [SignedIn(*row) for row in rows]

    def measure(self, calls: int) -> Readings:
        """One round: each of `calls` users adds a task, and all else is done with that task."""
        users, use = self.users[:calls], self.database.as_user
        self.users = self.users[calls:] + users
        turn = self.database.in_turn
        added = [turn(who, signed_up.create(max_tasks=200))[0][0] for who in users[:1]]
        found: Readings = {}

        def each(name: str, one: Callable[[SignedIn, Any], Any], among: list[Any]) -> list[Any]:
            took, results = [], []
            used = self._cpu_ns()
            for who, what in zip(users, among, strict=False):
                began = time.perf_counter()
                results.append(one(who, what))
                took.append(time.perf_counter() - began)
            used = self._cpu_ns() - used
            found[name] = (used / len(took) / 1e3, statistics.median(took) * 1e6)
            return results

        turn(users[0], signed_up.delete(str(added[0].id)))
        nothing = [None] * calls
        rows = each(
            "tasks/create", lambda who, _: turn(who, signed_up.create(max_tasks=200)), nothing
        )
        ids = [str(task.id) for ((task,),) in rows]
        each("tasks/get", lambda who, id_: use(who, Call("tasks/get", {"task_id": id_})), ids)
        each("tasks/list", lambda who, _: use(who, Call("tasks/list", {}, as_task)), nothing)
        changes = {"since": TASKS, "page_size": 500}
        each("tasks/changes", lambda who, _: use(who, Call("tasks/changes", changes)), nothing)
        each("tasks/update", lambda who, id_: turn(who, signed_up.update(id_, title="New")), ids)
        done = "tasks/complete"
        each(done, lambda who, id_: turn(who, Call(done, {"task_id": id_})), ids)
        each("tasks/delete", lambda who, id_: turn(who, signed_up.delete(id_)), ids)
        return found

    def _cpu_ns(self) -> int:
        """Of all sessions in the database, those of Citus' workers too."""
        used = 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                title = (process / "cmdline").read_bytes().decode(errors="replace")
                if title.startswith("postgres: ") and self._title in title:
                    used += int((process / "schedstat").read_text().split()[0])
            except OSError:  # it has ended
                continue
        return used


@contextmanager
def layouts(users: int) -> Iterator[list[Layout]]:
    """Plain, partitions with and without their setting, through PgBouncer, and Citus where there is one."""
    fill = _FILL.format(users=users, tasks=TASKS).encode()
    found = []
    with ExitStack() as stack:
        server = stack.enter_context(embedded_server(fsync="off", autovacuum="off"))
        for number, name in enumerate(("plain", "16 partitions", "without the setting")):
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE layout_{number}".encode())
                url = make_conninfo(server, dbname=f"layout_{number}")
                migrate(url)
                with psycopg.connect(url, autocommit=True) as superuser:
                    superuser.execute(fill)
                    if number:
                        partition(superuser)
                    if number == 2:
                        reset = f"ALTER DATABASE layout_{number} RESET plan_cache_mode"
                        superuser.execute(reset.encode())
                    superuser.execute("VACUUM (ANALYZE)")
            found.append(Layout(name, url))
        plain = make_conninfo(server, dbname="layout_0")
        pooler = stack.enter_context(pgbouncer(plain))
        pooled = pooler.url(plain)
        found.append(Layout("plain, not prepared", plain, prepared=False))
        if pooler.prepares:
            found.append(Layout("PgBouncer", pooled))
        found.append(Layout("PgBouncer, not prepared", pooled, prepared=False))
        if coordinator := os.environ.get("CITUS_URL"):
            migrate(coordinator)
            stack.callback(rollback, coordinator)
            with psycopg.connect(coordinator, autocommit=True) as superuser:
                superuser.execute(fill)
                distribute(superuser)
                superuser.execute("VACUUM (ANALYZE)")
            found.append(Layout("Citus", coordinator))
        yield found
        for layout in found:
            layout.database.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--calls", type=int, default=300, help="of each kind in a round")
    arguments.add_argument("--users", type=int, default=USERS)
    chosen = arguments.parse_args()
    with layouts(chosen.users) as compared:
        readings: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for _ in range(chosen.rounds + 1):
            for layout in compared:
                for name, reading in layout.measure(chosen.calls).items():
                    readings[name, layout.name].append(reading)
    names = [layout.name for layout in compared]
    lines = [f"| CPU / median | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for call in dict.fromkeys(call for call, _ in readings):
        cells = []
        for name in names:
            taken = readings[call, name][1:]  # the first round warms up
            cpu = min(used for used, _ in taken)
            cells.append(f"{cpu:.0f} / {statistics.median(one for _, one in taken):.0f}")
        lines.append(f"| `{call}` | {' | '.join(cells)} |")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
