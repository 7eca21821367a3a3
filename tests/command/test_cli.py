"""The command todo-api, as an operator meets it: real processes, signals, exit statuses, messages."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import todo_api
from support.waiting import until
from todo_api.settings.config import Config, variable

PATIENCE = 60.0
SECRET = "a secret that only these tests know, 0123456789"
SETTINGS = [variable(setting.name) for setting in fields(Config)]
ACCOUNT = {"email": "ann@example.com", "password": "correct horse battery"}
MODULE = [sys.executable, "-m", "todo_api"]
PLAIN = {
    name: value
    for name, value in os.environ.items()
    if name not in SETTINGS and not name.startswith(("PG", "XDG_", "COLUMNS", "SPACE_ID"))
} | {"PYTHONPATH": str(Path(todo_api.__file__).parents[1]), "BCRYPT_ROUNDS": "4", "WORKERS": "2"}


@dataclass
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that it wrote to standard error."""
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("todo-api: ")
        return lines[0].removeprefix("todo-api: ")


class Command:
    """A running todo-api."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*MODULE, *arguments],
            cwd=folder,
            env=PLAIN | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = ""

    def ready(self) -> "Command":
        """Wait for the line that says where the service is."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.took = time.monotonic() - self.started
        found = re.fullmatch(
            r"Todo API on (http://127\.0\.0\.1:(\d+)) \(documentation: \1/docs\)\. "
            r"Ctrl-C stops it\.\n",
            line,
        )
        assert found, line or self.end().err
        self.url, self.port = found[1], int(found[2])
        return self

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Status and body of an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def titles(self, session: dict[str, Any]) -> list[str]:
        """The titles of a user's tasks, as the service tells them."""
        path = f"/api/{session['user_id']}/tasks"
        status, answer = self.call("GET", path, token=session["access_token"])
        assert status == 200, answer
        return [task["title"] for task in answer["data"]]

    def end(self, number: signal.Signals | None = None) -> Ended:
        """Send a signal, if any, and wait for the end."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, err)

    def clear_away(self) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()


@dataclass
class Desk:
    """A working folder, and what is started in it."""

    folder: Path
    commands: list[Command]

    def start(self, *arguments: str, **variables: str) -> Command:
        self.commands.append(Command(self.folder, arguments, variables))
        return self.commands[-1]

    def run(self, *arguments: str, **variables: str) -> Ended:
        return self.start(*arguments, **variables).end()


@contextlib.contextmanager
def _desk() -> Iterator[Desk]:
    # Not tmp_path: the path of a socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="cli", dir="/tmp"))
    desk = Desk(folder, [])
    try:
        yield desk
    finally:
        for command in desk.commands:
            command.clear_away()
        until(lambda: not processes_in(folder))
        shutil.rmtree(folder)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with _desk() as desk:
        yield desk


def processes_in(folder: Path) -> list[str]:
    """The processes that work in or below `folder`, or that were started for it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if (process / "cwd").readlink().is_relative_to(folder) or bytes(folder) in words:
                found.append(f"{process.name} {words!r}")
    return found


# --- the command line --------------------------------------------------------------------------------


def test_version(desk: Desk) -> None:
    assert desk.run("--version") == Ended(0, f"todo-api {version('todo-api')}\n", "")


def test_the_installed_command_is_the_same_as_the_module() -> None:
    script = Path(sys.executable).with_name("todo-api")
    shown = [
        subprocess.run([*command, "--help"], env=PLAIN, capture_output=True, text=True, check=True)
        for command in ([script], MODULE)
    ]
    assert shown[0].stdout == shown[1].stdout
    assert re.findall(r"^    ([\w-]+)(?:  |$)", shown[0].stdout, re.MULTILINE)[-4:] == [
        "serve",
        "migrate",
        "rollback",
        "end-sessions",
    ]


@pytest.mark.parametrize("command", ["serve", "migrate", "rollback", "end-sessions"])
def test_the_help_of_a_command_names_every_setting_with_its_default(
    desk: Desk, command: str
) -> None:
    shown = desk.run(command, "--help")
    assert (shown.status, shown.err) == (0, "")
    for name in SETTINGS:
        assert re.search(
            rf"^  --{name.lower().replace('_', '-')} {name}\s", shown.out, re.MULTILINE
        )
    assert "(default: 8000)" in shown.out
    assert "(default: 127.0.0.1)" in shown.out


def test_without_a_command_it_shows_the_usage(desk: Desk) -> None:
    ended = desk.run()
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("usage: todo-api ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--jwt-secret", SECRET, "serve"),
        (SECRET,),
        ("serve", SECRET),
        ("serve", "--jwt-secrt", SECRET),
        ("serve", f"--jwt-secrt={SECRET}"),
        ("serve", "--jwt", SECRET),
        ("rollback", "--count", "1", SECRET),
    ],
)
def test_a_mistake_in_the_arguments_ends_it_and_shows_no_value(
    desk: Desk, arguments: tuple[str, ...]
) -> None:
    ended = desk.run(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("usage: todo-api ")
    assert "only these tests" not in ended.err


def test_bad_settings_from_everywhere_are_told_at_once(desk: Desk) -> None:
    (desk.folder / ".env").write_text("LOG_LEVEL=LOUD\nJWT_SECRET=Pa55word\nPORT=1\n")
    ended = desk.run("serve", "--port", "x", THREADS="1", DATABASE_URL="mysql://u:Pa55word@h/db")
    assert (ended.status, ended.out) == (2, "")
    first, *problems = ended.err.splitlines()
    assert first == "todo-api: the settings can't be used:"
    assert [line.split()[0] for line in problems] == [
        "DATABASE_URL", "JWT_SECRET", "PORT", "THREADS", "LOG_LEVEL",
    ]  # fmt: skip
    assert "Pa55word" not in ended.err


# --- with a database of one's own --------------------------------------------------------------------


@pytest.mark.parametrize("command", ["serve", "migrate", "rollback", "end-sessions"])
def test_a_database_that_is_away_is_one_line(desk: Desk, command: str) -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://ann:Pa55word@127.0.0.1:{taken.getsockname()[1]}/todo"
        ended = desk.run(command, DATABASE_URL=url, JWT_SECRET=SECRET)
    assert (ended.status, ended.out) == (1, "")
    assert "can't be reached" in ended.complaint
    assert "refused" in ended.complaint
    assert "Pa55word" not in ended.err


def test_a_database_that_does_not_exist_is_one_line(desk: Desk, postgres: str) -> None:
    url = make_conninfo(postgres, dbname="no_such_database")
    assert "no_such_database" in desk.run("migrate", DATABASE_URL=url).complaint


def test_a_login_that_may_not_migrate_is_told_so_in_one_line(
    desk: Desk, empty_database_url: str, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("CREATE ROLE cli_stranger LOGIN")
    try:
        url = make_conninfo(empty_database_url, user="cli_stranger")
        ended = desk.run("migrate", DATABASE_URL=url, LOG_LEVEL="ERROR")
    finally:
        admin.execute("DROP ROLE cli_stranger")
    assert ended.status == 1
    assert ended.complaint


def test_an_address_in_use_is_one_line(desk: Desk, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = desk.run("serve", "--port", port, DATABASE_URL=database_url, JWT_SECRET=SECRET)
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def applied(url: str) -> list[str]:
    """The numbers of the migrations in a database, newest first."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT id FROM applied_migrations ORDER BY id DESC").fetchall()
        return [row[0].partition(".")[0] for row in rows]


def test_migrate_and_rollback(desk: Desk, empty_database_url: str) -> None:
    database = {"DATABASE_URL": empty_database_url, "LOG_LEVEL": "ERROR"}  # and no JWT_SECRET

    def run(*arguments: str) -> tuple[int, str]:
        ended = desk.run(*arguments, **database)
        assert ended.err == ""
        return ended.status, ended.out

    def newest(count: int) -> str:
        names = sorted((file.name for file in files), reverse=True)[:count]
        return ", ".join(name.removesuffix(".sql") for name in names)

    files = set(Path(__file__).parents[2].joinpath("migrations").glob("[0-9]*.sql"))
    files -= set(Path(__file__).parents[2].joinpath("migrations").glob("*.rollback.sql"))
    everything = ", ".join(sorted(newest(99).split(", ")))
    assert run("migrate") == (0, f"applied: {everything}\n")
    assert run("migrate") == (0, "applied: nothing, the schema is up to date\n")
    all_of_them = applied(empty_database_url)

    warning = "Its data would be lost. Add --yes to do it.\n"
    assert run("rollback", "--count", "3") == (1, f"would roll back: {newest(3)}\n{warning}")
    assert applied(empty_database_url) == all_of_them

    assert run("rollback", "--count", "2", "--yes") == (0, f"rolled back: {newest(2)}\n")
    assert applied(empty_database_url) == all_of_them[2:]
    assert run("rollback", "--count", "9999", "--yes")[0] == 0
    assert run("rollback") == (0, "nothing to roll back\n")


@pytest.mark.parametrize("count", ["0", "-1", "all"])
def test_rollback_counts_from_one(desk: Desk, database_url: str, count: str) -> None:
    before = applied(database_url)
    ended = desk.run("rollback", "--yes", f"--count={count}", DATABASE_URL=database_url)
    assert ended.status == 2
    assert "a whole number from 1" in ended.err
    assert applied(database_url) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_migrates_serves_and_ends_in_order(
    desk: Desk, empty_database_url: str, number: signal.Signals
) -> None:
    (desk.folder / ".env").write_text(f"JWT_SECRET='{SECRET}'\nPORT=0\nLOG_FORMAT=json\n")
    service = desk.start("serve", DATABASE_URL=empty_database_url).ready()
    assert service.call("GET", "/health/ready") == (200, {"status": "ok"})
    assert service.call("GET", "/health/live?q=not-in-the-log")[0] == 200
    ended = service.end(number)
    assert (ended.status, ended.out) == (0, "")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert {line["level"] for line in lines} == {"INFO"}
    assert [line["route"] for line in lines if line["logger"] == "todo_api.access"] == [
        "/health/ready",
        "/health/live",
    ]
    assert "not-in-the-log" not in ended.err


def serve_as_it_is(desk: Desk, url: str) -> Ended:
    """What serve says to a database that it must not migrate, and refuses."""
    ended = desk.run(
        "serve", "--migrate-on-start", "false", "--port", "0",
        DATABASE_URL=url, JWT_SECRET=SECRET,
    )  # fmt: skip
    assert (ended.status, ended.out) == (1, "")
    return ended


def test_serve_refuses_a_schema_that_is_missing_or_behind_and_says_what_to_run(
    desk: Desk, empty_database_url: str
) -> None:
    missing = serve_as_it_is(desk, empty_database_url)
    assert missing.complaint == "the schema is not there: run `todo-api migrate` first"

    assert desk.run("migrate", DATABASE_URL=empty_database_url).status == 0
    [newest, *_] = applied(empty_database_url)
    assert desk.run("rollback", "--yes", DATABASE_URL=empty_database_url).status == 0
    behind = serve_as_it_is(desk, empty_database_url)
    assert behind.complaint.startswith(f"the schema lacks {newest}.")
    assert behind.complaint.endswith(": run `todo-api migrate` first")

    assert desk.run("migrate", DATABASE_URL=empty_database_url).status == 0
    desk.start(
        "serve", "--port", "0", DATABASE_URL=empty_database_url, JWT_SECRET=SECRET,
        MIGRATE_ON_START="false",
    ).ready()  # fmt: skip


@pytest.mark.parametrize("migrates", ["true", "false"])
def test_serve_refuses_a_migration_that_was_edited_after_it_was_applied(
    desk: Desk, database_url: str, superuser: psycopg.Connection[Any], migrates: str
) -> None:
    [(edited,)] = superuser.execute(
        "UPDATE applied_migrations SET checksum = repeat('0', 64) WHERE id LIKE '0002%' RETURNING id"
    ).fetchall()
    ended = desk.run(
        "serve", "--migrate-on-start", migrates, "--port", "0",
        DATABASE_URL=database_url, JWT_SECRET=SECRET,
    )  # fmt: skip
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint == (
        f"already applied, but edited since: {edited}; "
        "restore the file and put the change into a new migration"
    )


@pytest.mark.parametrize("migrates", ["true", "false"])
def test_a_newer_database_is_served_with_a_warning_but_not_rolled_back(
    desk: Desk, database_url: str, superuser: psycopg.Connection[Any], migrates: str
) -> None:
    superuser.execute(
        "INSERT INTO applied_migrations (id, checksum) VALUES ('9999.next', repeat('0', 64))"
    )
    service = desk.start(
        "serve", "--migrate-on-start", migrates, "--port", "0", "--log-format", "json",
        DATABASE_URL=database_url, JWT_SECRET=SECRET,
    ).ready()  # fmt: skip
    assert service.call("GET", "/health/ready") == (200, {"status": "ok"})
    assert service.call("POST", "/api/auth/signup", ACCOUNT)[0] == 201
    lines = [json.loads(line) for line in service.end(signal.SIGTERM).err.splitlines()]
    warning = "the database is newer than this version: it has 9999.next"
    assert [line["message"] for line in lines if line["level"] == "WARNING"] == [warning]

    refused = desk.run("rollback", "--yes", DATABASE_URL=database_url, LOG_LEVEL="ERROR")
    assert (refused.status, refused.out) == (1, "")
    assert refused.complaint == f"{warning}; roll back with the version that brought them"


def test_serve_refuses_a_role_that_row_security_does_not_hold(
    desk: Desk, database_url: str, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("ALTER ROLE todo_app BYPASSRLS")
    try:
        assert "may bypass row security" in serve_as_it_is(desk, database_url).complaint
    finally:
        admin.execute("ALTER ROLE todo_app NOBYPASSRLS")


def test_serve_refuses_a_login_that_cannot_take_the_services_role(
    desk: Desk, database_url: str, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("CREATE ROLE cli_stranger LOGIN")
    try:
        url = make_conninfo(database_url, user="cli_stranger")
        assert "can't work as todo_app" in serve_as_it_is(desk, url).complaint
    finally:
        admin.execute("DROP ROLE cli_stranger")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_migration_waits_ends_it_at_once(
    desk: Desk,
    database_url: str,
    superuser: psycopg.Connection[Any],
    number: signal.Signals,
    status: int,
) -> None:
    with superuser.transaction():
        superuser.execute("LOCK TABLE applied_migrations")
        service = desk.start("serve", DATABASE_URL=database_url, JWT_SECRET=SECRET, PORT="0")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        until(lambda: superuser.execute(waiting).fetchone() != (0,))
        began = time.monotonic()
        ended = service.end(number)
        assert time.monotonic() - began < 5
        assert (ended.status, ended.out, ended.err) == (status, "", "")
        until(lambda: superuser.execute(waiting).fetchone() == (0,))


# --- with nothing but a folder -----------------------------------------------------------------------


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
    with _desk() as desk:
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


def test_the_first_start_makes_a_secret_that_only_the_service_can_read(kept: Kept) -> None:
    file = kept.data_dir / "jwt_secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.data_dir.stat().st_mode) == 0o700
    assert file.stat().st_uid == os.geteuid()
    assert len(kept.secret.strip()) == 64


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


def test_a_signal_that_comes_again_while_postgresql_stops_changes_nothing(kept: Kept) -> None:
    service = kept.serve().ready()

    def gone() -> bool:
        service.process.send_signal(signal.SIGTERM)
        return service.process.poll() is not None

    until(gone)
    assert service.end().status == 0


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


def test_migrate_and_rollback_work_on_the_folder_too(kept: Kept) -> None:
    data_dir = str(kept.data_dir)
    up_to_date = kept.desk.run("migrate", "--data-dir", data_dir, LOG_LEVEL="ERROR")
    assert up_to_date == Ended(0, "applied: nothing, the schema is up to date\n", "")
    [newest] = re.findall(
        r"^would roll back: (\d{4}\..*)\n", kept.desk.run("rollback", "--data-dir", data_dir).out
    )
    assert newest


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


def test_a_secret_that_was_cut_short_is_refused(kept: Kept) -> None:
    file = kept.data_dir / "jwt_secret"
    file.write_text("")
    try:
        ended = kept.desk.run("serve", DATA_DIR=str(kept.data_dir), PORT="0", LOG_LEVEL="ERROR")
    finally:
        file.write_text(kept.secret)
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith(f"{file} must have at least 32 bytes")


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
