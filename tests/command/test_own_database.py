"""The command todo-api on an operator's database: real processes, signals, exit statuses, messages."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.command import ACCOUNT, SECRET, Desk, Ended
from support.waiting import until
from todo_api.upkeep.asking import place_of


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "migrate", "rollback", "end-sessions", "prune"])
def test_a_database_that_is_away_is_one_line(desk: Desk, command: str) -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://ann:Pa55word@127.0.0.1:{taken.getsockname()[1]}/todo"
        ended = desk.run(command, DATABASE_URL=url, JWT_SECRET=SECRET)
    assert (ended.status, ended.out) == (1, "")
    assert "can't be reached" in ended.complaint
    assert "refused" in ended.complaint
    assert "Pa55word" not in ended.err


@pytest.mark.slow
def test_a_database_that_does_not_exist_is_one_line(desk: Desk, postgres: str) -> None:
    url = make_conninfo(postgres, dbname="no_such_database")
    assert "no_such_database" in desk.run("migrate", DATABASE_URL=url).complaint


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "migrates"), [("serve", "true"), ("serve", "false"), ("migrate", "true")]
)
def test_a_database_of_another_encoding_is_one_line(
    desk: Desk, postgres: str, admin: psycopg.Connection[Any], command: str, migrates: str
) -> None:
    admin.execute(
        "CREATE DATABASE odd_encoding ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    try:
        url = make_conninfo(postgres, dbname="odd_encoding")
        ended = desk.run(command, DATABASE_URL=url, JWT_SECRET=SECRET, MIGRATE_ON_START=migrates)
    finally:
        admin.execute("DROP DATABASE odd_encoding WITH (FORCE)")
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith("the encoding of the database is SQL_ASCII")


@pytest.mark.slow
def test_an_address_in_use_is_one_line(desk: Desk, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = desk.run(
            "serve", "--port", port, DATABASE_URL=database_url, JWT_SECRET=SECRET, LOG_LEVEL="ERROR"
        )
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def applied(url: str) -> list[str]:
    """The numbers of the migrations in a database, newest first."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT id FROM applied_migrations ORDER BY id DESC").fetchall()
        return [row[0].partition(".")[0] for row in rows]


@pytest.mark.slow
def test_migrate_and_rollback(desk: Desk, empty_database_url: str) -> None:
    database = {"DATABASE_URL": empty_database_url, "LOG_LEVEL": "ERROR"}  # and no JWT_SECRET

    def run(*arguments: str) -> tuple[int, str]:
        ended = desk.run(*arguments, **database)
        assert ended.err == ""
        said, _, where = ended.out.partition("database: ")
        assert where == f"{place_of(empty_database_url)}\n"
        return ended.status, said

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
    assert run("rollback", "--count", "3") == (0, f"would roll back: {newest(3)}\n{warning}")
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


@pytest.fixture
def narrow(template: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A login that may work as todo_app, and nothing else."""
    admin.execute("CREATE ROLE cli_narrow LOGIN IN ROLE todo_app")
    yield "cli_narrow"
    for (database,) in admin.execute(
        "SELECT datname FROM pg_database WHERE datacl::text ~ 'cli_narrow'"
    ).fetchall():
        admin.execute(f"REVOKE ALL ON DATABASE {database} FROM cli_narrow".encode())
    admin.execute("DROP ROLE cli_narrow")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_migrates_serves_and_ends_in_order(
    desk: Desk, empty_database_url: str, narrow: str, number: signal.Signals
) -> None:
    (desk.folder / ".env").write_text(f"JWT_SECRET='{SECRET}'\nPORT=0\nLOG_FORMAT=json\n")
    url = make_conninfo(empty_database_url, user=narrow)
    service = desk.start("serve", DATABASE_URL=url, MIGRATE_URL=empty_database_url).ready()
    assert service.call("GET", "/health/ready") == (200, {"status": "ok"})
    assert service.call("GET", "/health/live?q=not-in-the-log")[0] == 200
    ended = service.end(number)
    assert (ended.status, ended.out) == (0, "")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert ended.warnings == []
    assert {line["level"] for line in lines} <= {"INFO", "WARNING"}
    assert f"database: {place_of(empty_database_url)}" in [line["message"] for line in lines]
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


@pytest.mark.slow
def test_where_it_does_not_migrate_it_serves_without_the_owners_connection(
    desk: Desk, database_url: str
) -> None:
    away = "postgresql://owner@127.0.0.1:1/todo"
    settings = {"DATABASE_URL": database_url, "MIGRATE_URL": away, "JWT_SECRET": SECRET}
    service = desk.start("serve", PORT="0", MIGRATE_ON_START="false", **settings).ready()
    assert service.call("GET", "/health/ready")[0] == 200
    assert service.end(signal.SIGTERM).status == 0


@pytest.mark.slow
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


@pytest.mark.slow
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
        f"already applied, but edited since: {edited}. "
        "Restore the file and put the change into a new migration"
    )


@pytest.mark.slow
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
    newer = "the database is newer than this version: it has 9999.next"
    warning = f"{newer}. Install that version here too"
    assert warning in [line["message"] for line in lines if line["level"] == "WARNING"]

    refused = desk.run("rollback", "--yes", DATABASE_URL=database_url, LOG_LEVEL="ERROR")
    assert (refused.status, refused.out) == (1, "")
    assert refused.complaint == f"{newer}; roll back with the version that brought them"


@pytest.mark.slow
def test_serve_refuses_a_role_that_row_security_does_not_hold(
    desk: Desk, database_url: str, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("ALTER ROLE todo_app BYPASSRLS")
    try:
        assert "may bypass row security" in serve_as_it_is(desk, database_url).complaint
    finally:
        admin.execute("ALTER ROLE todo_app NOBYPASSRLS")


@pytest.mark.slow
def test_serve_refuses_a_login_that_cannot_take_the_services_role(
    desk: Desk, database_url: str, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("CREATE ROLE cli_stranger LOGIN")
    try:
        url = make_conninfo(database_url, user="cli_stranger")
        assert "can't work as todo_app" in serve_as_it_is(desk, url).complaint
    finally:
        admin.execute("DROP ROLE cli_stranger")


@pytest.mark.slow
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
