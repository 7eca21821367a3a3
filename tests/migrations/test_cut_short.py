"""Migrations that are killed or that fail leave the database as it was before or after them."""

import signal
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest

from migrations.trial import IDS, add, applied, migrators, snapshot
from support.waiting import until
from todo_api.upkeep import migrate as migrating
from todo_api.upkeep.migrate import MigrationError, migrate, rollback

# --- killed ---


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in the first statement", "between applied and marked"])
def test_a_killed_process_blocks_nobody_and_leaves_nothing_half_done(
    url: str, folder: Path, where: str
) -> None:
    migrate(url, folder)
    before = snapshot(url)
    if where == "in the first statement":
        slow = add(folder, "0900.slow", "CREATE TABLE half (id integer); SELECT pg_sleep(60);")
    else:
        # yoyo's mark is what waits
        slow = add(folder, "0900.slow", "CREATE TABLE half (id integer);")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF NEW.migration_id = '0900.slow' THEN PERFORM pg_sleep(60); END IF; "
                "RETURN NEW; END $$"
            )
            connection.execute(
                "CREATE TRIGGER wait BEFORE INSERT ON _yoyo_migration "
                "FOR EACH ROW EXECUTE FUNCTION wait()"
            )
        before = snapshot(url)
    with psycopg.connect(url, autocommit=True) as watch, migrators(1, folder) as [process]:
        process.migrate(url)
        asleep = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            " AND datname = current_database()"
        )
        until(lambda: watch.execute(asleep).fetchone())
        process.process.send_signal(signal.SIGKILL)
        process.process.wait()
        began = time.monotonic()
        (folder / f"{slow}.sql").write_text(f"-- depends: {IDS[-1]}\n\nCREATE TABLE whole ();\n")
        (folder / f"{slow}.rollback.sql").write_text("DROP TABLE whole;\n")
        lock = "SELECT pg_try_advisory_lock(hashtext('todo_api'), hashtext('migrations'))"
        until(lambda: watch.execute(lock).fetchone() == (True,))
        assert time.monotonic() - began < 20  # not the minute of the statement
    assert snapshot(url) == before
    assert applied(url) == IDS
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP FUNCTION IF EXISTS wait CASCADE")
    assert migrate(url, folder) == [slow]
    assert rollback(url, 1, folder) == [slow]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_whole_migrations_only(url: str) -> None:
    correct = None
    delays_s = (0.0, 0.02, 0.04, 0.06, 0.1)  # the moment is the point, whatever it falls on
    with migrators(len(delays_s)) as processes:
        for process, delay_s in zip(processes, delays_s, strict=True):
            process.migrate(url)
            time.sleep(delay_s)
            process.kill()
            with psycopg.connect(url, autocommit=True) as connection:
                known = "SELECT to_regclass('applied_migrations') IS NOT NULL"
                [(begun,)] = connection.execute(known).fetchall()
            done = applied(url) if begun else []
            assert done == IDS[: len(done)]
            assert migrate(url) == IDS[len(done) :]
            correct = correct or snapshot(url)
            assert snapshot(url) == correct
            rollback(url)


# --- failing ---


@pytest.mark.slow
def test_a_failing_migration_leaves_the_database_as_it_was_before_it(
    url: str, folder: Path
) -> None:
    add(folder, "0900.good", "CREATE TABLE good (id integer);", "DROP TABLE good;")
    migrate(url, folder)
    before = snapshot(url)
    add(folder, "0901.bad", "CREATE TABLE half (id integer);\nDROP TABLE users;\nSELECT 1 / 0;")
    with pytest.raises(MigrationError, match=r"^migration 0901\.bad failed: .*users"):
        migrate(url, folder)
    assert snapshot(url) == before
    add(folder, "0901.bad", "CREATE TABLE half (id integer);\nSELECT 1 / 0;")
    with pytest.raises(MigrationError, match=r"^migration 0901\.bad failed: division by zero$"):
        migrate(url, folder)
    assert snapshot(url) == before
    assert applied(url) == [*IDS, "0900.good"]
    add(folder, "0901.bad", "CREATE TABLE half (id integer);", "DROP TABLE half;")
    assert migrate(url, folder) == ["0901.bad"]


@pytest.mark.slow
def test_migrations_before_a_failing_one_stay(url: str, folder: Path) -> None:
    add(folder, "0900.good", "CREATE TABLE good (id integer);", "DROP TABLE good;")
    (folder / "0901.bad.sql").write_text("-- depends: 0900.good\n\nSELECT 1 / 0;\n")
    (folder / "0901.bad.rollback.sql").write_text("SELECT 1;\n")
    with pytest.raises(MigrationError, match=r"0901\.bad"):
        migrate(url, folder)
    assert applied(url) == [*IDS, "0900.good"]


@pytest.mark.slow
def test_a_failing_rollback_leaves_the_database_as_it_was(url: str, folder: Path) -> None:
    add(folder, "0900.bad", "CREATE TABLE bad (id integer);", "DROP TABLE bad;\nSELECT 1 / 0;")
    migrate(url, folder)
    before = snapshot(url)
    with pytest.raises(MigrationError, match=r"^migration 0900\.bad failed: division by zero$"):
        rollback(url, 1, folder)
    assert snapshot(url) == before
    assert applied(url) == [*IDS, "0900.bad"]


@pytest.mark.slow
def test_a_table_in_use_is_not_waited_for_for_ever(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_PAUSE_S", 0)
    add(folder, "0900.busy", "SET LOCAL lock_timeout = '20ms';\nALTER TABLE users ADD note text;")
    migrate(url)
    with psycopg.connect(url) as reader:
        reader.execute("SELECT FROM users")
        with pytest.raises(MigrationError, match=r"0900\.busy: a table is in use"):
            migrate(url, folder)
    assert applied(url) == IDS


@pytest.mark.slow
def test_a_table_in_use_for_a_while_is_tried_again(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = "SET LOCAL lock_timeout = '20ms';\nCREATE TABLE once ();\nALTER TABLE users ADD note text;"
    down = "SET LOCAL lock_timeout = '20ms';\nDROP TABLE once;\nALTER TABLE users DROP note;"
    add(folder, "0900.busy", up, down)
    migrate(url)
    for work, done in ((migrate, [*IDS, "0900.busy"]), (partial(rollback, count=1), IDS)):
        with psycopg.connect(url) as reader:
            reader.execute("SELECT FROM users")
            pauses = [lambda: None, reader.rollback]
            monkeypatch.setattr(migrating, "_pause", lambda: pauses.pop(0)())  # noqa: B023
            assert work(url, folder=folder) == ["0900.busy"]
        assert pauses == []
        assert applied(url) == done
