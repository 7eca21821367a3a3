"""Migrations: up and down, several processes at once, and what is refused."""

import hashlib
import itertools
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from migrations.trial import (
    IDS,
    ROUNDS,
    SHIPPED,
    add,
    applied,
    migrators,
    snapshot,
)
from support.postgres.catalogue import roles
from support.postgres.schema_dump import PAGE, dump
from support.waiting import until
from todo_api.database.calls import Call
from todo_api.database.data import Database
from todo_api.upkeep import migrate as migrating
from todo_api.upkeep.migrate import MigrationError, migrate, newest, rollback
from todo_api.upkeep.role_check import check_role

# A policy's condition in a sub-select, which shows the same rows, and without
FORMS = re.compile(r"\( SELECT (\(NULLIF.*?::uuid)(?: AS \"nullif\")?\)")

# --- up and down ---


@pytest.mark.slow
def test_each_step_down_restores_the_schema_before_it_and_up_again_is_the_same(
    url: str, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    def look() -> tuple[list[str], str]:
        return snapshot(url), dump(url)

    before = [look()]
    for count in range(1, len(IDS) + 1):
        folder = tmp_path / str(count)
        folder.mkdir()
        for migration in IDS[:count]:
            for file in SHIPPED.glob(f"{migration}.*"):
                shutil.copy(file, folder)
        assert migrate(url, folder) == [IDS[count - 1]]
        before.append(look())
    for one, other in itertools.pairwise(before):
        assert one[0] != other[0]
        assert one[1] != other[1]
    up = before.pop()
    made = roles(owner)
    for migration in reversed(IDS):
        assert rollback(url, 1) == [migration]
        assert look() == before.pop(), migration
    assert roles(owner) == []
    assert migrate(url) == IDS
    assert (look(), roles(owner)) == (up, made)
    assert rollback(url) == IDS[::-1]
    assert migrate(url) == IDS
    assert look() == up


@pytest.mark.slow
def test_all_migrations_together_make_the_schema_that_is_checked_in(url: str) -> None:
    migrate(url)
    page = PAGE.read_text(encoding="utf-8")
    assert dump(url) == page, "python tests/tools/schema_dump.py writes it anew"


@pytest.mark.slow
def test_the_schema_that_is_checked_in_is_complete(
    make_database: Callable[..., str], url: str
) -> None:
    migrate(url)
    read = make_database()
    with psycopg.connect(read, autocommit=True) as connection:
        connection.execute(PAGE.read_bytes())
    assert snapshot(read) == snapshot(url)


def test_the_roles_can_do_nothing_but_their_work(url: str, owner: psycopg.Connection[Any]) -> None:
    migrate(url)
    no = " | ".join(["False"] * 5)
    assert roles(owner) == [
        f"{name} | {no} | True | ['todo']" for name in ("todo_app", "todo_auth")
    ]


def test_there_is_no_account_until_somebody_signs_up(url: str) -> None:
    migrate(url)
    with psycopg.connect(url) as connection:
        for table in ("users", "sessions", "tasks"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.slow
def test_the_roles_stay_while_another_database_needs_them(
    make_database: Callable[..., str], owner: psycopg.Connection[Any]
) -> None:
    one, other = make_database(), make_database()
    migrate(one)
    migrate(other)
    rollback(one)
    assert len(roles(owner)) == 2
    check_role(other)
    rollback(other)
    assert roles(owner) == []


@pytest.mark.slow
def test_a_second_run_finds_nothing_to_do(url: str) -> None:
    assert migrate(url) == IDS
    assert migrate(url) == []
    assert applied(url) == IDS


@pytest.mark.slow
def test_newest_and_rollback_go_from_the_newest_on(url: str) -> None:
    assert newest(url, 3) == []
    assert rollback(url, 1) == []
    migrate(url)
    assert newest(url, 2) == IDS[:-3:-1]
    assert newest(url, 100) == IDS[::-1]
    assert rollback(url, 0) == []
    assert rollback(url, 2) == IDS[:-3:-1]
    assert applied(url) == IDS[:-2]
    assert newest(url, 1) == [IDS[-3]]


def test_a_database_that_was_never_migrated_stays_as_it_is(url: str) -> None:
    """It may be somebody else's, by a mistake in the URL."""

    def tables() -> list[tuple[Any, ...]]:
        with psycopg.connect(url) as connection:
            return connection.execute(
                "SELECT schemaname, tablename FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()

    for work in (lambda: newest(url, 3), lambda: rollback(url)):
        assert work() == []
        assert tables() == []


@pytest.mark.slow
def test_no_account_or_host_is_written_into_the_database(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")  # as in a container

    monkeypatch.setattr("getpass.getuser", nobody)
    migrate(url)
    with psycopg.connect(url) as connection:
        log = "SELECT DISTINCT username, hostname FROM _yoyo_log"
        assert connection.execute(log).fetchall() == [(None, None)]


# --- several at once ---


@pytest.mark.slow
def test_four_processes_on_an_empty_database_end_with_one_correct_schema(
    make_database: Callable[..., str], owner: psycopg.Connection[Any]
) -> None:
    correct = None
    with migrators(4) as processes:
        for _ in range(ROUNDS):
            url = make_database()
            for process in processes:
                process.migrate(url)
            answers = [process.answer() for process in processes]
            assert sorted(answers) == ["", "", "", " ".join(IDS)]
            assert applied(url) == IDS
            correct = correct or snapshot(url)
            assert snapshot(url) == correct
            rollback(url)  # the roles too, so that the next round makes them again
            assert roles(owner) == []


@pytest.mark.slow
def test_four_databases_of_one_server_are_migrated_at_once(
    make_database: Callable[..., str], owner: psycopg.Connection[Any]
) -> None:
    with migrators(4) as processes:
        for _ in range(2):
            urls = [make_database() for _ in processes]
            for process, url in zip(processes, urls, strict=True):
                process.migrate(url)
            assert [process.answer() for process in processes] == [" ".join(IDS)] * 4
            for url in urls:
                rollback(url)
            assert roles(owner) == []


@pytest.mark.slow
def test_a_lock_held_by_another_process_is_waited_for(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as other, migrators(1) as [process]:
        lock = "SELECT pg_try_advisory_lock(hashtext('todo_api'), hashtext('migrations'))"
        assert other.execute(lock).fetchone() == (True,)
        process.migrate(url)
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'todo-api migrate'"
            " AND datname = current_database()"
        )
        until(lambda: other.execute(waiting).fetchone())
        assert other.execute("SELECT to_regclass('users')").fetchone() == (None,)
        assert process.process.poll() is None
        other.execute("SELECT pg_advisory_unlock_all()")
        assert process.answer() == " ".join(IDS)


@pytest.mark.slow
def test_a_lock_that_is_never_free_is_given_up_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_WAIT_S", 0.2)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('todo_api'), hashtext('migrations'))")
        for work in (lambda: migrate(url), lambda: rollback(url), lambda: newest(url, 1)):
            with pytest.raises(MigrationError, match="another process has been migrating for 0 s"):
                work()
    assert migrate(url) == IDS


@pytest.mark.slow
def test_whoever_finds_nothing_to_do_does_not_wait_for_a_newer_version_at_work(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_WAIT_S", 0)
    migrate(url)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('todo_api'), hashtext('migrations'))")
        assert migrate(url) == []


# --- refused ---


@pytest.mark.slow
def test_an_edited_file_that_was_applied_is_refused_by_name(url: str, folder: Path) -> None:
    migrate(url, folder)
    edited = folder / f"{IDS[2]}.sql"
    original = edited.read_bytes()
    edited.write_bytes(original + b"-- a note\n")
    add(folder, "0900.new", "CREATE TABLE new_one (id integer);", "DROP TABLE new_one;")
    before = snapshot(url)
    for work in (lambda: migrate(url, folder), lambda: rollback(url, 1, folder)):
        with pytest.raises(MigrationError, match=rf"edited since: {re.escape(IDS[2])}\."):
            work()
    assert snapshot(url) == before
    edited.write_bytes(original)
    assert migrate(url, folder) == ["0900.new"]


@pytest.mark.slow
def test_a_file_that_says_what_checksum_it_had_before_its_edit_is_accepted(
    url: str, folder: Path
) -> None:
    migrate(url, folder)
    edited = folder / f"{IDS[2]}.sql"
    original = edited.read_bytes()
    header, body = original.split(b"\n\n", 1)
    formerly = b"\n-- formerly: " + hashlib.sha256(original).hexdigest().encode()
    edited.write_bytes(header + formerly + b"\n\n" + body + b"-- a note\n")
    assert migrate(url, folder) == []
    assert rollback(url, folder=folder) == IDS[::-1]
    assert migrate(url, folder) == IDS
    assert migrate(url, folder) == []
    for spoilt in (formerly[:-1] + b"0", formerly[:-1], formerly.replace(b"formerly", b"once")):
        edited.write_bytes(header + spoilt + b"\n\n" + body)
        with pytest.raises(MigrationError, match=rf"edited since: {re.escape(IDS[2])}\."):
            migrate(url, folder)
    edited.write_bytes(original + formerly + b"\n")  # counts in the header only
    with pytest.raises(MigrationError, match="edited since"):
        migrate(url, folder)


def former_idempotency_keys() -> bytes:
    """0009 as it was before its policy could be made on a Citus cluster."""
    text = (SHIPPED / "0009.idempotency_keys.sql").read_text(encoding="utf-8")
    text = re.sub(r"^-- formerly: .*\n-- +\w.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^-- Without a sub-select, .*\n", "", text, flags=re.MULTILINE)
    bare = "user_id = nullif(current_setting('app.user_id', true), '')::uuid)"
    assert text.count(bare) == 2
    nested = "user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))"
    return text.replace(bare, nested).encode()


@pytest.mark.slow
def test_a_database_that_applied_the_former_0009_is_accepted_and_differs_in_no_row(
    make_database: Callable[..., str], url: str, folder: Path
) -> None:
    (folder / "0009.idempotency_keys.sql").write_bytes(former_idempotency_keys())
    old = make_database()
    migrate(old, folder)
    migrate(url)
    with psycopg.connect(old) as connection:
        recorded = connection.execute(
            "SELECT checksum FROM applied_migrations WHERE id = '0009.idempotency_keys'"
        ).fetchone()
    current = (SHIPPED / "0009.idempotency_keys.sql").read_text(encoding="utf-8")
    assert recorded
    assert f"\n-- formerly: {recorded[0]}\n" in current
    assert migrate(old) == []
    check_role(old)
    assert FORMS.sub(r"\1", dump(old)) == FORMS.sub(r"\1", dump(url))
    assert rollback(old) == IDS[::-1]


@pytest.mark.slow
def test_a_newer_database_is_left_alone(url: str, folder: Path) -> None:
    newer = add(folder, "0900.newer", "CREATE TABLE newer (id integer);", "DROP TABLE newer;")
    assert migrate(url, folder) == [*IDS, newer]
    before = snapshot(url)
    assert migrate(url) == []
    for work in (lambda: rollback(url, 1), lambda: newest(url, 1)):
        with pytest.raises(MigrationError, match=r"newer than this version: it has 0900\.newer;"):
            work()
    assert snapshot(url) == before


@pytest.mark.slow
def test_a_database_of_another_line_of_versions_is_refused(url: str, folder: Path) -> None:
    add(folder, "0900.theirs", "CREATE TABLE theirs (id integer);", "DROP TABLE theirs;")
    migrate(url, folder)
    for file in folder.glob("0900.*"):
        file.unlink()
    add(folder, "0900.ours", "CREATE TABLE ours (id integer);", "DROP TABLE ours;")
    before = snapshot(url)
    with pytest.raises(MigrationError, match=r"has 0900\.theirs, .* but lacks 0900\.ours: "):
        migrate(url, folder)
    assert snapshot(url) == before


def test_a_migration_without_a_rollback_file_is_refused(url: str, folder: Path) -> None:
    add(folder, "0900.lone", "CREATE TABLE lone (id integer);", down=None)
    before = snapshot(url)
    with pytest.raises(MigrationError, match=r"^migration 0900\.lone has no rollback file$"):
        migrate(url, folder)
    assert snapshot(url) == before


def test_a_database_that_is_away_is_a_clear_error(url: str, tmp_path: Path) -> None:
    nowhere = make_conninfo(url, host=str(tmp_path), password="not to be shown")
    with pytest.raises(MigrationError, match=r"^the database can't be reached: ") as raised:
        migrate(nowhere)
    assert "not to be shown" not in str(raised.value)


@pytest.mark.parametrize(
    "bad", ["postgresql://ann:not%shown@127.0.0.1/todo", "mysql://ann:not-shown@127.0.0.1/todo"]
)
def test_a_url_that_is_none_is_a_clear_error_without_its_password(bad: str) -> None:
    with pytest.raises(MigrationError, match=r"^the database's URL is not one") as raised:
        migrate(bad)
    assert "shown" not in str(raised.value)


# --- the migrating role ---


@pytest.mark.slow
@pytest.mark.parametrize("inherits", ["INHERIT", "NOINHERIT"])
def test_a_role_that_may_not_create_roles_is_told_what_a_dba_runs_once(
    make_database: Callable[..., str],
    login: Callable[..., str],
    owner: psycopg.Connection[Any],
    inherits: str,
) -> None:
    name = login(inherits)
    url = make_database(OWNER=name)
    with psycopg.connect(url) as connection:
        # PostgreSQL 15 lets an owner that doesn't inherit do nothing in a schema of pg_database_owner
        connection.execute(f"ALTER SCHEMA public OWNER TO {name}")
    url = make_conninfo(url, user=name)
    with pytest.raises(MigrationError, match="may not create the roles of the service") as raised:
        migrate(url)
    assert IDS[0] in str(raised.value)
    lines = re.search(r"\(A DBA runs once[^:]*: (.*)\)$", str(raised.value))
    assert lines, raised.value
    assert roles(owner) == []
    for line in filter(None, lines[1].split("; ")):
        owner.execute(line.encode())
    assert migrate(url) == IDS
    check_role(url)
    with closing(Database(url, connections=1)) as database:
        database.before_sign_in(
            Call(
                "before_sign_in/find_account_from",
                {"email": "ann@example.com", "network": "192.0.2.1"},
            ),
            Call("before_sign_in/applied_migrations"),
        )
    assert rollback(url) == IDS[::-1]
    assert len(roles(owner)) == 2  # the DBA's, not ours to drop
    assert migrate(url) == IDS


@pytest.mark.slow
def test_a_role_that_may_create_roles_needs_no_dba(
    make_database: Callable[..., str], login: Callable[..., str], owner: psycopg.Connection[Any]
) -> None:
    name = login("CREATEROLE")
    url = make_conninfo(make_database(OWNER=name), user=name)
    assert migrate(url) == IDS
    check_role(url)
    up = snapshot(url)
    assert rollback(url) == IDS[::-1]
    assert roles(owner) == []
    assert migrate(url) == IDS
    assert snapshot(url) == up


def test_a_role_without_rights_on_the_schema_is_a_clear_error(
    url: str, login: Callable[..., str]
) -> None:
    guest = make_conninfo(url, user=login())
    with pytest.raises(MigrationError, match="GRANT CREATE ON SCHEMA public TO"):
        migrate(guest)
