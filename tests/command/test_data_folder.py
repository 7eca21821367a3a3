"""The command todo-api with nothing but a folder: its data, its secret, and what a killed one leaves."""

import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import errors

from support.command import ACCOUNT, Command, Desk, Ended, a_desk, processes_in
from support.waiting import until


@dataclass
class Kept:
    """A DATA_DIR that was served once: whose session and which task are in it."""

    desk: Desk
    data_dir: Path
    session: dict[str, Any]
    secret: str
    took: float

    def serve(self) -> Command:
        return self.desk.start("serve", DATA_DIR=str(self.data_dir), PORT="0")


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """A service's whole first life: nothing set but the folder and the port, ended with Ctrl-C."""
    with a_desk() as desk:
        data_dir = desk.folder / "data"
        service = desk.start("serve", DATA_DIR=str(data_dir), PORT="0").ready()
        status, answer = service.call("POST", "/api/auth/signup", ACCOUNT)
        assert status == 201, answer
        session = answer["data"]
        path, token = f"/api/{session['user_id']}/tasks", session["access_token"]
        assert service.call("POST", path, {"title": "Buy oat milk"}, token)[0] == 201
        assert service.end(signal.SIGINT).status == 0
        until(lambda: not processes_in(desk.folder))  # PostgreSQL's keeper is the last to go
        secret = (data_dir / "jwt_secret").read_text()
        yield Kept(desk, data_dir, session, secret, service.took)


@pytest.mark.slow
def test_the_first_start_makes_a_secret_that_only_the_service_can_read(kept: Kept) -> None:
    file = kept.data_dir / "jwt_secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.data_dir.stat().st_mode) == 0o700
    assert file.stat().st_uid == os.geteuid()
    assert len(kept.secret.strip()) == 64


@pytest.mark.slow
def test_a_later_start_has_the_tasks_and_the_tokens_of_the_first_and_is_quick(
    kept: Kept,
) -> None:
    later = kept.serve().ready()
    assert later.titles(kept.session) == ["Buy oat milk"]
    assert later.call("POST", "/api/auth/login", ACCOUNT)[0] == 200
    ended = later.end(signal.SIGTERM)
    assert ended.status == 0
    assert kept.secret.strip() not in ended.err
    # On a busy machine; on an idle one they are 3 s and 0.6 s.
    assert kept.took < 45
    assert later.took < 15


@pytest.mark.slow
def test_a_signal_that_comes_again_while_postgresql_stops_changes_nothing(kept: Kept) -> None:
    service = kept.serve().ready()

    def gone() -> bool:
        service.process.send_signal(signal.SIGTERM)
        return service.process.poll() is not None

    until(gone)
    assert service.end().status == 0


@pytest.mark.slow
def test_two_services_on_one_folder_share_data_secret_and_sessions(kept: Kept) -> None:
    first, second = kept.serve(), kept.serve()
    first.ready()
    second.ready()
    account = ACCOUNT | {"email": "bob@example.com"}
    session = first.call("POST", "/api/auth/signup", account)[1]["data"]
    path, token = f"/api/{session['user_id']}/tasks", session["access_token"]
    assert second.call("POST", path, {"title": "From the second"}, token)[0] == 201
    assert first.titles(session) == ["From the second"]

    assert first.end(signal.SIGTERM).status == 0
    assert second.titles(session) == ["From the second"]
    assert second.call("POST", "/api/auth/logout", token=token)[0] == 204
    assert second.end(signal.SIGTERM).status == 0
    assert (kept.data_dir / "jwt_secret").read_text() == kept.secret


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False], ids=["all of it", "its first process"])
def test_a_killed_service_leaves_no_process_and_the_next_one_starts(
    kept: Kept, whole_group: bool
) -> None:
    killed = kept.serve().ready()
    assert len(processes_in(kept.desk.folder)) >= 5  # itself, two workers, a keeper, PostgreSQL
    if whole_group:
        os.killpg(killed.process.pid, signal.SIGKILL)
    killed.end(None if whole_group else signal.SIGKILL)
    until(lambda: not processes_in(kept.desk.folder))

    after = kept.serve().ready()
    assert after.titles(kept.session) == ["Buy oat milk"]
    assert after.end(signal.SIGTERM).status == 0


@pytest.mark.slow
def test_a_deleted_working_folder_is_no_trouble(kept: Kept) -> None:
    folder = kept.desk.folder / "gone"
    folder.mkdir()
    settings = {"DATA_DIR": str(kept.data_dir), "PORT": "0"}
    in_a_deleted_folder = ("sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh")
    service = Command(folder, ("serve",), settings, in_a_deleted_folder)
    kept.desk.commands.append(service)
    service.ready()
    assert not folder.exists()
    assert service.titles(kept.session) == ["Buy oat milk"]
    assert service.end(signal.SIGINT).status == 0


@pytest.mark.slow
def test_variables_of_libpq_lead_no_embedded_database_astray(kept: Kept) -> None:
    hostile = {
        "PGHOST": "192.0.2.1",
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGDATABASE": "other",
        "PGUSER": "somebody",
        "PGPASSWORD": "x",
        "PGSERVICE": "elsewhere",
        "PGSERVICEFILE": "/nowhere",
        "PGOPTIONS": "-c nonsense=1",
        "PGSSLMODE": "verify-full",
        "PGGSSENCMODE": "require",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGCHANNELBINDING": "require",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCLIENTENCODING": "LATIN1",
        "PGDATESTYLE": "German",
        "PGTZ": "Asia/Tokyo",
        "PGCONNECT_TIMEOUT": "x",
    }
    service = kept.desk.start("serve", DATA_DIR=str(kept.data_dir), PORT="0", **hostile).ready()
    assert service.titles(kept.session) == ["Buy oat milk"]
    assert service.end(signal.SIGINT).status == 0


@pytest.mark.slow
def test_migrate_and_rollback_work_on_the_folder_too(kept: Kept) -> None:
    data_dir = str(kept.data_dir)
    up_to_date = kept.desk.run("migrate", "--data-dir", data_dir, LOG_LEVEL="ERROR")
    where = f"database: embedded, in {data_dir}\n"
    assert up_to_date == Ended(0, f"applied: nothing, the schema is up to date\n{where}", "")
    [newest] = re.findall(
        r"^would roll back: (\d{4}\..*)\n", kept.desk.run("rollback", "--data-dir", data_dir).out
    )
    assert newest


@pytest.mark.slow
def test_every_command_works_on_a_folder_that_was_only_migrated(desk: Desk) -> None:
    folder = {"DATA_DIR": "data", "LOG_LEVEL": "ERROR"}
    for command, said in (
        ("migrate", "applied: 0001.roles, "),
        ("prune", "removed sessions: 0, "),
        ("end-sessions", "ended sessions: 0, "),
        ("upgrade-data", "nothing to do"),
        ("rollback", "would roll back: "),
    ):
        ended = desk.run(command, **folder)
        assert (ended.status, ended.err) == (0, ""), command
        assert ended.out.startswith(said)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("end-sessions",), ("rollback",), ("rollback", "--yes")])
def test_no_other_command_makes_a_database(desk: Desk, arguments: tuple[str, ...]) -> None:
    ended = desk.run(*arguments, DATA_DIR="data")
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint == (
        "DATABASE_URL is not set, so PostgreSQL has to be embedded: there is no database in "
        f"{desk.folder}/data, and only `serve` and `migrate` make one. Set DATABASE_URL to the database "
        "that you mean, or DATA_DIR to its folder."
    )
    assert list(desk.folder.iterdir()) == []


@pytest.mark.slow
def test_sessions_end_in_the_folder_that_the_command_names(kept: Kept) -> None:
    ended = kept.desk.run("end-sessions", DATA_DIR=str(kept.data_dir), LOG_LEVEL="ERROR")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[1:] == [f"database: embedded, in {kept.data_dir}"]
    # the later tests of this file go on with a session
    service = kept.serve().ready()
    assert (
        service.call(
            "GET", f"/api/{kept.session['user_id']}/tasks", token=kept.session["access_token"]
        )[0]
        == 401
    )
    kept.session = service.call("POST", "/api/auth/login", ACCOUNT)[1]["data"]
    assert service.end(signal.SIGTERM).status == 0


@pytest.mark.slow
def test_a_login_serves_that_can_become_nobody_else(kept: Kept) -> None:
    service = kept.serve().ready()
    owner = owner_url(kept)
    assert service.titles(kept.session) == ["Buy oat milk"]
    with psycopg.connect(owner) as connection:
        serving = connection.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity"
            " WHERE application_name = 'todo-api' AND pid <> pg_backend_pid()"
        ).fetchall()
    assert serving == [("todo_serve",)]
    with psycopg.connect(f"{owner}_serve", autocommit=True) as connection:
        for role in ("todo", "todo_auth", "pg_read_server_files"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute("SELECT set_config('role', %s, false)", [role])
        connection.execute("SET ROLE none")
        for attack in (
            "SELECT pg_read_file('PG_VERSION')",
            "COPY tasks TO PROGRAM 'true'",
            "SELECT password_hash FROM users",
            "CREATE ROLE mine",
            "ALTER ROLE todo_serve SUPERUSER",
            "CREATE TABLE public.mine ()",
            "CREATE TEMPORARY TABLE tasks ()",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(attack.encode())
    ended = service.end(signal.SIGTERM)
    assert ended.status == 0
    assert ended.warnings == []


@pytest.mark.slow
@pytest.mark.parametrize("migrates", ["true", "false"])
def test_a_folder_of_an_earlier_version_gets_that_login_at_its_next_start(
    kept: Kept, migrates: str
) -> None:
    service = kept.serve().ready()
    with psycopg.connect(owner_url(kept), autocommit=True) as connection:
        connection.execute("DROP OWNED BY todo_serve")  # its right to connect
        connection.execute("GRANT CONNECT, TEMPORARY ON DATABASE todo TO PUBLIC")
        connection.execute("DROP ROLE todo_serve")
    assert service.end(signal.SIGTERM).status == 0
    for _ in range(2):
        again = kept.desk.start(
            "serve", DATA_DIR=str(kept.data_dir), PORT="0", MIGRATE_ON_START=migrates
        ).ready()
        assert again.titles(kept.session) == ["Buy oat milk"]
        assert again.end(signal.SIGTERM).status == 0


def owner_url(kept: Kept) -> str:
    return f"postgresql:///todo?host={quote(str(kept.data_dir / 'pg/data'), safe='')}&port=5432&user=todo"


@pytest.mark.slow
def test_the_made_secret_is_replaced_without_signing_anybody_out(kept: Kept) -> None:
    file, former = kept.data_dir / "jwt_secret", kept.secret.strip()
    ended = kept.desk.run(
        "serve",
        DATA_DIR=str(kept.data_dir),
        PORT="0",
        LOG_LEVEL="ERROR",
        JWT_SECRET_PREVIOUS=former,
    )
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[1:] == ["  JWT_SECRET_PREVIOUS must differ from JWT_SECRET"]

    file.unlink()
    try:
        service = kept.desk.start(
            "serve", DATA_DIR=str(kept.data_dir), PORT="0", JWT_SECRET_PREVIOUS=former
        ).ready()
        assert service.titles(kept.session) == ["Buy oat milk"]
        ended = service.end(signal.SIGTERM)
        assert file.read_text() != kept.secret
    finally:
        file.write_text(kept.secret)
    assert ended.status == 0
    assert former not in ended.err


@pytest.mark.slow
def test_a_secret_that_was_cut_short_is_refused(kept: Kept) -> None:
    file = kept.data_dir / "jwt_secret"
    file.write_text("")
    try:
        ended = kept.desk.run("serve", DATA_DIR=str(kept.data_dir), PORT="0", LOG_LEVEL="ERROR")
    finally:
        file.write_text(kept.secret)
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith(f"{file} must have at least 32 bytes")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_first_start_leaves_nothing_half_made(
    desk: Desk, number: signal.Signals, status: int
) -> None:
    service = desk.start("serve", PORT="0", DATA_DIR="data", LOG_LEVEL="ERROR")
    until((desk.folder / "data/pg/new/base").exists)  # initdb is at work
    began = time.monotonic()
    ended = service.end(number)
    assert time.monotonic() - began < 10
    assert (ended.status, ended.out, ended.err) == (status, "", "")
    assert not (desk.folder / "data/pg/data").exists()
    assert not (desk.folder / "data/jwt_secret").exists()
    until(lambda: not processes_in(desk.folder))


def test_a_folder_that_cannot_be_used_is_one_line(desk: Desk) -> None:
    (desk.folder / "file").touch()
    ended = desk.run("serve", DATA_DIR="file", LOG_LEVEL="ERROR")
    assert (ended.status, ended.out) == (1, "")
    assert "DATA_DIR" in ended.complaint


@pytest.mark.slow
def test_the_server_has_room_for_the_connections_of_all_workers(kept: Kept) -> None:
    settings = {"WORKERS": "16", "THREADS": "16", "PORT": "0", "DATA_DIR": str(kept.data_dir)}
    service = kept.desk.start("serve", **settings).ready()
    with psycopg.connect(owner_url(kept)) as connection:
        [most] = connection.execute("SHOW max_connections").fetchone() or [""]
    assert int(most) > 16 * 8
    assert service.end(signal.SIGTERM).status == 0
