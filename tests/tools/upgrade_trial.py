"""Upgrade from a former version and back, under traffic, and print what users met (Markdown).

python tests/tools/upgrade_trial.py postgres COMMIT     two machines behind nginx, PostgreSQL of PG_BIN
python tests/tools/upgrade_trial.py embedded COMMIT     one machine with its own PostgreSQL

It does what todo_api/deploy/README.md tells operators to do. COMMIT is the former version; USERS, TASKS (of
each user) and SECONDS (of a phase) may be set. Needs git, an index of packages, and nginx. Nothing else may run
on the machine where times matter. Exit status 1: a request failed where the guide does not say so, or an answer
was wrong.
"""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import on_path  # noqa: F401
import psycopg
from psycopg.conninfo import make_conninfo

from support.credentials import SECRET
from support.folders import quick_folder
from support.nginx import HOST, nginx
from support.postgres.server import Server, a_server
from support.upgrade.asking import Asking
from support.upgrade.locks import Locks
from support.upgrade.record import Record
from support.upgrade.town import at_work, fill
from support.upgrade.versions import Machine, Version, former_version, this_version

USERS = int(os.environ.get("USERS", "1000"))
TASKS = int(os.environ.get("TASKS", "1000"))
SECONDS = float(os.environ.get("SECONDS", "15"))
AT_WORK, NEWCOMERS = 8, 2
FAIL_TIMEOUT_S = 10  # nginx's: so long it does not ask a server again that refused
COMMON = {
    "JWT_SECRET": SECRET,
    "BCRYPT_ROUNDS": "4",
    "WORKERS": "1",
    "AUTH_RATE_LIMIT": "100000 per minute",
}


def main(kind: str, commit: str) -> int:
    record = Record()
    with contextlib.ExitStack() as stack:
        folder = quick_folder("upgrade-")
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        versions = Path(tempfile.mkdtemp(prefix="upgrade-versions-"))
        stack.callback(shutil.rmtree, versions)
        former = former_version(commit, versions)
        {"postgres": on_postgres, "embedded": on_embedded}[kind](
            former, this_version(), folder, record, stack
        )
        print(record.report())
    return 0 if record.is_well() else 1


def on_postgres(
    former: Version, new: Version, folder: Path, record: Record, stack: contextlib.ExitStack
) -> None:
    server = stack.enter_context(a_server())
    server.make()
    server.start(max_connections=100)
    url = _database(server)
    settings = COMMON | {
        "DATABASE_URL": url,
        "MIGRATE_ON_START": "false",
        "TRUSTED_PROXIES": "127.0.0.1",
        "ALLOWED_HOSTS": HOST,
    }
    superuser = make_conninfo(server.url, dbname="todo")
    former.run(folder, settings, "migrate")
    machines = [Machine(name, folder, _free_port(), settings) for name in ("one", "two")]
    for machine in machines:
        stack.callback(machine.clear_away)
        machine.start(former)
    proxy = stack.enter_context(nginx(machines[0].port, folder, machines[1].port))

    def asking() -> Asking:
        return Asking(proxy.open, HOST, record)

    record.begin("filling")
    number = fill(superuser, asking(), USERS, TASKS)
    print(f"PostgreSQL {server.ask('SHOW server_version')}, {number} tasks of {USERS} users\n")
    with at_work(asking, record, AT_WORK, NEWCOMERS) as everybody:
        record.begin("the former version serves")
        _go_on(SECONDS)
        record.begin("backup (pg_dump)").notes.append(_backup(server, folder))
        record.begin("migrate")
        _watched(superuser, folder, record, lambda log: _migrate(new, folder, log, settings))
        _go_on(SECONDS)
        cursors = "a cursor of the new version, which the former refuses"
        _roll("forwards", machines, new, record, cursors)
        record.begin("the new version serves")
        _go_on(SECONDS)
        record.begin("after-restore").notes.append(new.run(folder, settings, "after-restore")[0])
        _go_on(SECONDS)
        _roll("backwards", machines, former, record, cursors)
        record.begin("the former version on the new schema")
        _go_on(SECONDS)
        _roll("forwards again", machines, new, record, cursors)
        record.begin("after-restore again")
        new.run(folder, settings, "after-restore")
        _go_on(SECONDS)
        _roll("backwards again", machines, former, record, cursors)
        record.begin("rollback, while the former version serves")
        count = str(_applied(superuser) - _shipped(former))
        _watched(
            superuser, folder, record, lambda log: _roll_back(new, folder, log, settings, count)
        )
        _go_on(SECONDS)
        _roll("the former version restarts", machines, former, record)
        record.begin("the former version on its own schema")
        _go_on(SECONDS)
        record.end()
    print(f"Stale 304 while both served: {sum(one.stale for one in everybody)}\n")
    print(f"Reasons of 503: {dict(machines[0].reasons() + machines[1].reasons())}\n")


def on_embedded(
    former: Version, new: Version, folder: Path, record: Record, stack: contextlib.ExitStack
) -> None:
    settings = COMMON | {"DATA_DIR": str(folder / "data")}
    (folder / "data").mkdir(mode=0o755)
    machine = Machine("one", folder, _free_port(), settings)
    stack.callback(machine.clear_away)
    machine.start(former)

    def asking() -> Asking:
        address = ("127.0.0.1", machine.port)
        return Asking(lambda: socket.create_connection(address, 60), "127.0.0.1", record)

    record.begin("filling")
    number = fill(_psql_line(machine), asking(), USERS, TASKS)
    print(f"Embedded PostgreSQL, {number} tasks of {USERS} users\n")
    with at_work(asking, record, AT_WORK, NEWCOMERS) as everybody:
        record.begin("the former version serves")
        _go_on(SECONDS)
        for name, version in (("the new one", new), ("the former one again", former)) * 2:
            _restart(machine, version, record, f"restart with {name}")
            record.begin(f"{name} serves")
            _go_on(SECONDS)
        record.begin("stop, rollback, start", "the service is stopped")
        began = time.monotonic()
        machine.stop()
        count = str(_count(machine, new) - _shipped(former))
        _, took = new.run(folder, settings, "rollback", "--count", count, "--yes")
        machine.start(former)
        record.now.notes.append(
            f"rollback {took:.1f} s, away for {time.monotonic() - began:.1f} s"
        )
        record.begin("the former version on its own schema")
        _go_on(SECONDS)
        record.end()
    print(f"Stale 304: {sum(one.stale for one in everybody)}\n")


def _restart(machine: Machine, version: Version, record: Record, name: str) -> None:
    phase = record.begin(name, "the service is restarted")
    stopped = machine.stop()
    started = machine.start(version)
    phase.notes.append(f"stop {stopped:.1f} s, start {started:.1f} s")


def _roll(
    name: str, machines: list[Machine], version: Version, record: Record, may_fail: str = ""
) -> None:
    """Restart one machine after the other, each when the one before it is asked again."""
    phase = record.begin(f"rolling: {name}", may_fail, is_mixed=bool(may_fail))
    for machine in machines:
        stopped = machine.stop()
        started = machine.start(version)
        phase.notes.append(f"{machine.name}: stop {stopped:.1f} s, start {started:.1f} s")
        _go_on(FAIL_TIMEOUT_S + 1)


def _watched(
    superuser: str, folder: Path, record: Record, work: Callable[[Path], None]
) -> None:
    log = folder / f"migrating-{len(record.phases)}.log"
    locks = Locks(superuser, log)
    began = time.monotonic()
    with locks.watched():
        work(log)
    record.now.notes.append(f"the command took {time.monotonic() - began:.1f} s")
    print(f"**{record.now.name}**\n\n{locks.report()}")


def _migrate(version: Version, folder: Path, log: Path, settings: dict[str, str]) -> None:
    _command(version, folder, log, settings, "migrate")


def _roll_back(
    version: Version, folder: Path, log: Path, settings: dict[str, str], count: str
) -> None:
    _command(version, folder, log, settings, "rollback", "--count", count, "--yes")


def _command(
    version: Version, folder: Path, log: Path, settings: dict[str, str], *arguments: str
) -> None:
    process = version.spawn(folder, log, settings, *arguments)
    assert process.wait(300) == 0, log.read_text()


def _backup(server: Server, folder: Path) -> str:
    import subprocess

    from todo_api.embedded.programs import environment

    began = time.monotonic()
    file = folder / "dump"
    subprocess.run(
        [server.found.folder / "pg_dump", "-Fc", "-d", make_conninfo(server.url, dbname="todo"), "-f", file],
        env=environment(),
        check=True,
    )
    file.unlink()
    return f"{time.monotonic() - began:.1f} s"


def _database(server: Server) -> str:
    """A database as the guide says, with one login that owns it."""
    with server.connect() as superuser:
        superuser.execute("CREATE ROLE todo_login LOGIN CREATEROLE")
        superuser.execute("CREATE DATABASE todo OWNER todo_login")
        superuser.execute("REVOKE CONNECT, TEMPORARY ON DATABASE todo FROM PUBLIC")
    return make_conninfo(server.url, dbname="todo", user="todo_login")


def _psql_line(machine: Machine) -> str:
    """The superuser's URL, which the start of an embedded one logs."""
    return machine.log.read_text().split("psql '")[1].split("'")[0]


def _count(machine: Machine, version: Version) -> int:
    return _shipped(version)


def _applied(superuser: str) -> int:
    with psycopg.connect(superuser) as connection:
        row = connection.execute("SELECT count(*) FROM applied_migrations").fetchone()
    assert row is not None
    return int(row[0])


def _shipped(version: Version) -> int:
    """How many migrations a version has."""
    import subprocess

    code = (
        "import pathlib, todo_api.%s as it\n"
        "with it.migration_files(None) as found: print(len(found))"
    )
    for module in ("migration_files", "upkeep.migration_files"):
        ended = subprocess.run(
            [version.python, "-c", code % module], capture_output=True, text=True, check=False, cwd="/"
        )
        if ended.returncode == 0:
            return int(ended.stdout)
    raise AssertionError(ended.stderr)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _go_on(seconds: float) -> None:
    """Let the traffic go on."""
    time.sleep(seconds)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
