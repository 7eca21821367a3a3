"""Two machines behind nginx, on PostgreSQL: forwards and back twice, and rolled back."""

import subprocess
import time

import psycopg
from psycopg.conninfo import make_conninfo

from support.nginx import HOST, nginx
from support.postgres.server import Server, a_server
from support.upgrade.asking import Asking
from support.upgrade.town import at_work, fill
from support.upgrade.trial import AT_WORK, NEWCOMERS, TASKS, USERS, Trial, free_port
from support.upgrade.versions import Machine, Version
from todo_api.embedded.programs import environment

_FAIL_TIMEOUT_S = 10  # nginx's own: so long it does not ask a server again that refused
_CURSOR = "GET 422 validation-error"  # of the new version, and the former one is asked


def on_postgres(trial: Trial) -> str:
    """Do it; what is to be said beside the record."""
    server = trial.stack.enter_context(a_server())
    server.make()
    server.start(fsync="on")
    trial.settings |= {
        "DATABASE_URL": _database(server),
        "MIGRATE_ON_START": "false",
        "TRUSTED_PROXIES": "127.0.0.1",
        "ALLOWED_HOSTS": HOST,
    }
    superuser = make_conninfo(server.url, dbname="todo")
    trial.former.run(trial.folder, trial.settings, "migrate")
    of_former = _applied(superuser)
    machines = [Machine(name, trial.folder, free_port(), trial.settings) for name in ("one", "two")]
    for machine in machines:
        trial.stack.callback(machine.clear_away)
        machine.start(trial.former)
    proxy = trial.stack.enter_context(
        nginx(machines[0].port, trial.folder, others=[machines[1].port])
    )

    def asking() -> Asking:
        return Asking(proxy.open, HOST, trial.record)

    trial.record.begin("filling")
    number = fill(superuser, asking(), USERS, TASKS)
    said = [f"PostgreSQL {server.ask('SHOW server_version')}, {number} tasks of {USERS} users\n"]
    with at_work(asking, trial.record, AT_WORK, NEWCOMERS) as everybody:
        trial.phase("the former version serves")
        trial.record.begin("pg_dump").notes.append(_backup(server, trial))
        said.append(trial.command(superuser, "migrate", "migrate"))
        trial.go_on()
        for again in ("", ", again"):
            _roll(f"forwards{again}", machines, trial.new, trial, _CURSOR)
            trial.phase(f"the new version serves{again}")
            trial.record.begin(f"after-restore{again}")
            trial.new.run(trial.folder, trial.settings, "after-restore")
            trial.go_on()
            _roll(f"back{again}", machines, trial.former, trial, _CURSOR)
            trial.phase(f"the former version on the new schema{again}", is_traceless=True)
        count = str(_applied(superuser) - of_former)
        rolled = ("rollback", "--count", count, "--yes")
        said.append(trial.command(superuser, "rollback, while the former version serves", *rolled))
        trial.go_on()
        _roll("the former version restarts", machines, trial.former, trial)
        trial.phase("the former version on its own schema")
        trial.record.end()
    said.append(
        f"304 for a task that the former version had changed: {sum(one.stale for one in everybody)}\n"
    )
    said.append(f"Reasons of 503: {dict(machines[0].reasons() + machines[1].reasons())}\n")
    return "\n".join(said)


def _roll(
    name: str, machines: list[Machine], version: Version, trial: Trial, may_fail: str = ""
) -> None:
    """Restart one machine after the other, each when the one before it is asked again."""
    phase = trial.record.begin(f"rolling: {name}", may_fail, is_traceless=bool(may_fail))
    for machine in machines:
        stopped = machine.stop()
        started = machine.start(version)
        phase.notes.append(f"{machine.name}: stop {stopped:.1f} s, start {started:.1f} s")
        trial.go_on(_FAIL_TIMEOUT_S + 1)


def _backup(server: Server, trial: Trial) -> str:
    began = time.monotonic()
    file = trial.folder / "dump"
    database = make_conninfo(server.url, dbname="todo")
    command = [server.found.folder / "pg_dump", "-Fc", "-d", database, "-f", file]
    subprocess.run(command, env=environment(), check=True)
    file.unlink()
    return f"{time.monotonic() - began:.1f} s"


def _database(server: Server) -> str:
    """A database as the guide says, with one login that owns it."""
    with server.connect() as superuser:
        superuser.execute("CREATE ROLE todo_login LOGIN CREATEROLE")
        superuser.execute("CREATE DATABASE todo OWNER todo_login")
        superuser.execute("REVOKE CONNECT, TEMPORARY ON DATABASE todo FROM PUBLIC")
    return make_conninfo(server.url, dbname="todo", user="todo_login")


def _applied(superuser: str) -> int:
    with psycopg.connect(superuser) as connection:
        row = connection.execute("SELECT count(*) FROM applied_migrations").fetchone()
    assert row is not None
    return int(row[0])
