"""Migrations: up and down, several processes at once, killed and failing ones, and what is refused."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.postgres.catalogue import catalogue, roles
from support.waiting import until
from todo_api.database.calls import Call
from todo_api.database.data import Database
from todo_api.embedded.programs import find_programs
from todo_api.embedded.running import embedded_postgres
from todo_api.upkeep import migrate as migrating
from todo_api.upkeep.migrate import MigrationError, migrate, newest, rollback
from todo_api.upkeep.role_check import check_role
from tools.schema_dump import PAGE, dump

SHIPPED = Path(__file__).parent.parent.parent / "migrations"
IDS = sorted(
    file.stem for file in SHIPPED.glob("[0-9]*.sql") if not file.name.endswith(".rollback.sql")
)
PROCESS = Path(__file__).with_name("migrating_process.py")
ROUNDS = 20
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of our own: the roles of the service come and go on it."""
    folder = Path(tempfile.mkdtemp(prefix="todo-"))
    folder.chmod(0o711)
    programs = os.environ.get("PG_BIN")
    try:
        with embedded_postgres(folder, Path(programs) if programs else None) as url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield url
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def owner(server: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to that server."""
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection


@pytest.fixture
def login(owner: psycopg.Connection[Any]) -> Iterator[Callable[..., str]]:
    """Makes login roles that own no database yet; their names."""
    made = []

    def make(options: str = "") -> str:
        made.append(f"login_{next(_numbers)}")
        owner.execute(f"CREATE ROLE {made[-1]} LOGIN {options}")
        return made[-1]

    yield make
    for name in made:
        owner.execute(f"DROP ROLE {name}")


@pytest.fixture
def make_database(
    server: str, owner: psycopg.Connection[Any], login: Callable[..., str]
) -> Iterator[Callable[..., str]]:
    """Makes empty databases; after the test they are gone, and the roles of the service too."""
    made = []

    def make(**options: Any) -> str:
        made.append(f"trial_{next(_numbers)}")
        owner.execute(
            f"CREATE DATABASE {made[-1]} "
            + " ".join(f"{key} {value}" for key, value in options.items())
        )
        return make_conninfo(server, dbname=made[-1])

    yield make
    for name in made:
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    drop_roles(owner)


@pytest.fixture
def url(make_database: Callable[..., str]) -> str:
    """An empty database on a server without the roles of the service."""
    return make_database()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations, to change and to add to."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "migrations"))


def drop_roles(owner: psycopg.Connection[Any]) -> None:
    for role in ("todo_app", "todo_auth"):
        owner.execute(f"DROP ROLE IF EXISTS {role}")


def snapshot(url: str) -> list[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalogue(connection)


def applied(url: str) -> list[str]:
    """What the service's record says, which has to agree with yoyo's."""
    with psycopg.connect(url, autocommit=True) as connection:
        ours = connection.execute("SELECT id FROM applied_migrations ORDER BY id").fetchall()
        theirs = connection.execute(
            "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
        ).fetchall()
    assert ours == theirs
    return [one for (one,) in ours]


def add(folder: Path, name: str, up: str, down: str | None = "SELECT 1;") -> str:
    (folder / f"{name}.sql").write_text(f"-- depends: {IDS[-1]}\n\n{up}\n")
    if down is not None:
        (folder / f"{name}.rollback.sql").write_text(f"{down}\n")
    return name


class Migrator:
    """A process that migrates what it is told to."""

    def __init__(self, folder: Path | None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, PROCESS, *([folder] if folder else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def migrate(self, url: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{url}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """The ids it applied, or what was refused."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def migrators(count: int, folder: Path | None = None) -> Iterator[list[Migrator]]:
    """Processes that are ready to migrate."""
    started = [Migrator(folder) for _ in range(count)]
    try:
        assert [one.answer() for one in started] == ["ready"] * count
        yield started
    finally:
        for one in started:
            one.kill()


# --- up and down ---


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


def test_all_migrations_together_make_the_schema_that_is_checked_in(url: str) -> None:
    migrate(url)
    page = PAGE.read_text(encoding="utf-8")
    assert dump(url) == page, "python tests/tools/schema_dump.py writes it anew"


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


def test_a_second_run_finds_nothing_to_do(url: str) -> None:
    assert migrate(url) == IDS
    assert migrate(url) == []
    assert applied(url) == IDS


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


def test_whoever_finds_nothing_to_do_does_not_wait_for_a_newer_version_at_work(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_WAIT_S", 0)
    migrate(url)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('todo_api'), hashtext('migrations'))")
        assert migrate(url) == []


# --- killed ---


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


def test_migrations_before_a_failing_one_stay(url: str, folder: Path) -> None:
    add(folder, "0900.good", "CREATE TABLE good (id integer);", "DROP TABLE good;")
    (folder / "0901.bad.sql").write_text("-- depends: 0900.good\n\nSELECT 1 / 0;\n")
    (folder / "0901.bad.rollback.sql").write_text("SELECT 1;\n")
    with pytest.raises(MigrationError, match=r"0901\.bad"):
        migrate(url, folder)
    assert applied(url) == [*IDS, "0900.good"]


def test_a_failing_rollback_leaves_the_database_as_it_was(url: str, folder: Path) -> None:
    add(folder, "0900.bad", "CREATE TABLE bad (id integer);", "DROP TABLE bad;\nSELECT 1 / 0;")
    migrate(url, folder)
    before = snapshot(url)
    with pytest.raises(MigrationError, match=r"^migration 0900\.bad failed: division by zero$"):
        rollback(url, 1, folder)
    assert snapshot(url) == before
    assert applied(url) == [*IDS, "0900.bad"]


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


# --- outside a transaction ---

ADD_INDEX = """\
-- transactional: false

SET lock_timeout = '1min';
SET statement_timeout = '2min';

DROP INDEX CONCURRENTLY IF EXISTS tasks_title;
CREATE {unique} INDEX CONCURRENTLY IF NOT EXISTS tasks_title ON tasks (user_id, title);"""
DROP_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS tasks_title;"
ADD_TASKS = """
    INSERT INTO tasks (user_id, title)
    SELECT user_id, title FROM users CROSS JOIN unnest(%s::text[]) AS title
"""
USABLE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('tasks_title')"


@pytest.fixture
def with_tasks(url: str, folder: Path) -> psycopg.Connection[Any]:
    """A migrated database with one user, and a migration to come that adds an index to the tasks."""
    migrate(url, folder)
    add(folder, "0900.index", ADD_INDEX.format(unique=""), DROP_INDEX)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '20s'")
        connection.execute(
            "INSERT INTO users (user_id, email, password_hash)"
            " VALUES (gen_random_uuid(), 'ann@example.com', '$2b$04$' || repeat('a', 53))"
        )
        connection.execute(ADD_TASKS, [["one", "two"]])
        yield connection


@contextmanager
def building(url: str, folder: Path, writer: psycopg.Connection[Any]) -> Iterator[Migrator]:
    """A process that builds the index and waits for a transaction of `writer`."""
    with migrators(1, folder) as [process]:
        writer.execute(ADD_TASKS, [["three"]])
        process.migrate(url)
        with psycopg.connect(url, autocommit=True) as watch:
            waiting = (
                "SELECT 1 FROM pg_stat_progress_create_index WHERE phase ~ '^waiting for writers'"
            )
            until(lambda: watch.execute(waiting).fetchone())
        yield process


def test_an_index_is_built_while_its_table_is_written(
    url: str, folder: Path, with_tasks: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(url) as writer, building(url, folder, writer) as process:
        with_tasks.execute(ADD_TASKS, [["four"]])
        with_tasks.execute("UPDATE tasks SET completed_at = now() WHERE title = 'one'")
        with_tasks.execute("DELETE FROM tasks WHERE title = 'two'")
        assert with_tasks.execute(USABLE).fetchone() == (False,)
        writer.commit()
        assert process.answer() == "0900.index"
    assert applied(url) == [*IDS, "0900.index"]
    assert with_tasks.execute(USABLE).fetchone() == (True,)
    with_tasks.execute("SET enable_seqscan = off")
    query = "SELECT title FROM tasks ORDER BY user_id, title"
    assert "tasks_title" in str(with_tasks.execute(f"EXPLAIN {query}").fetchall())
    assert with_tasks.execute(query).fetchall() == [("four",), ("one",), ("three",)]
    assert rollback(url, 1, folder) == ["0900.index"]
    assert with_tasks.execute(USABLE).fetchone() is None
    assert applied(url) == IDS


def test_a_killed_build_leaves_an_unusable_index_that_the_next_start_builds_anew(
    url: str, folder: Path, with_tasks: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(url) as writer, building(url, folder, writer) as process:
        process.kill()
        lock = "SELECT pg_try_advisory_lock(hashtext('todo_api'), hashtext('migrations'))"
        until(lambda: with_tasks.execute(lock).fetchone() == (True,))
        with_tasks.execute("SELECT pg_advisory_unlock_all()")
        assert with_tasks.execute(USABLE).fetchone() == (False,)
        assert applied(url) == IDS
    assert migrate(url, folder) == ["0900.index"]
    assert with_tasks.execute(USABLE).fetchone() == (True,)
    assert applied(url) == [*IDS, "0900.index"]


def test_a_build_that_fails_is_not_marked_and_succeeds_once_the_data_allow_it(
    url: str, folder: Path, with_tasks: psycopg.Connection[Any]
) -> None:
    add(folder, "0900.index", ADD_INDEX.format(unique="UNIQUE"), DROP_INDEX)
    with_tasks.execute(ADD_TASKS, [["one"]])
    with pytest.raises(MigrationError, match=r"^migration 0900\.index failed: .*unique index"):
        migrate(url, folder)
    assert with_tasks.execute(USABLE).fetchone() == (False,)
    assert applied(url) == IDS
    with_tasks.execute("DELETE FROM tasks WHERE title = 'one'")
    assert migrate(url, folder) == ["0900.index"]
    assert with_tasks.execute(USABLE).fetchone() == (True,)


def test_an_unusable_index_is_never_taken_for_the_one_that_is_wanted(
    url: str, folder: Path, with_tasks: psycopg.Connection[Any]
) -> None:
    add(folder, "0900.index", ADD_INDEX.format(unique="").replace(DROP_INDEX, ""), DROP_INDEX)
    with_tasks.execute("CREATE INDEX tasks_title ON tasks (title)")
    with_tasks.execute(
        USABLE.replace("SELECT indisvalid FROM", "UPDATE").replace(
            "WHERE", "SET indisvalid = false WHERE"
        )
    )
    refusal = r"^migration 0900\.index left an index that can't be used: tasks_title; remove it"
    with pytest.raises(MigrationError, match=refusal):
        migrate(url, folder)
    assert applied(url) == IDS


# --- what README.md tells a DBA to do ---

README = (SHIPPED / "README.md").read_text(encoding="utf-8")


def test_the_examples_change_a_table_with_rows(
    url: str, folder: Path, with_tasks: psycopg.Connection[Any]
) -> None:
    for file in folder.glob("0900.*"):
        file.unlink()
    examples = re.findall(r"^`(\S+)\.sql`\n\n```sql\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    for name, text in examples:
        add(folder, name, "")
        (folder / f"{name}.sql").write_text(text)
    assert migrate(url, folder) == [name for name, _ in examples]
    [fill] = re.findall(r"```sql\n(SET row_security.*?)^```$", README, re.DOTALL | re.MULTILINE)
    for statement in fill.split("\n\n", 1):
        with_tasks.execute(statement.encode())
    assert with_tasks.execute("SELECT DISTINCT note FROM tasks").fetchall() == [("",)]
    invalid = "SELECT FROM pg_constraint WHERE NOT convalidated"
    assert with_tasks.execute(invalid).fetchone() is None


def test_a_migration_that_is_applied_by_hand_is_known(url: str) -> None:
    migrate(url)
    up = snapshot(url)
    rollback(url, 1)
    [by_hand] = re.findall(r"```sh\nid=\S+\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    programs = os.environ.get("PG_BIN")
    psql = find_programs(Path(programs) if programs else None, None).folder
    subprocess.run(
        ["/bin/sh", "-euc", f"id={IDS[-1]}\n{by_hand}"],
        check=True,
        cwd=SHIPPED.parent,
        env={"PATH": f"{psql}:{os.environ['PATH']}", "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
    )
    assert applied(url) == IDS
    assert migrate(url) == []
    assert snapshot(url) == up
    assert rollback(url) == IDS[::-1]


# --- refused ---


def test_an_edited_file_that_was_applied_is_refused_by_name(url: str, folder: Path) -> None:
    migrate(url, folder)
    edited = folder / f"{IDS[2]}.sql"
    original = edited.read_bytes()
    edited.write_bytes(original + b"-- a note\n")
    add(folder, "0900.new", "CREATE TABLE new_one (id integer);", "DROP TABLE new_one;")
    before = snapshot(url)
    for work in (lambda: migrate(url, folder), lambda: rollback(url, 1, folder)):
        with pytest.raises(MigrationError, match=rf"edited since: {re.escape(IDS[2])};"):
            work()
    assert snapshot(url) == before
    edited.write_bytes(original)
    assert migrate(url, folder) == ["0900.new"]


def test_a_newer_database_is_left_alone(url: str, folder: Path) -> None:
    newer = add(folder, "0900.newer", "CREATE TABLE newer (id integer);", "DROP TABLE newer;")
    assert migrate(url, folder) == [*IDS, newer]
    before = snapshot(url)
    assert migrate(url) == []
    for work in (lambda: rollback(url, 1), lambda: newest(url, 1)):
        with pytest.raises(MigrationError, match=r"newer than this version: it has 0900\.newer;"):
            work()
    assert snapshot(url) == before


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
            Call("before_sign_in/find_credentials", {"email": "ann@example.com"}),
            Call("before_sign_in/applied_migrations"),
        )
    assert rollback(url) == IDS[::-1]
    assert len(roles(owner)) == 2  # the DBA's, not ours to drop
    assert migrate(url) == IDS


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
    with pytest.raises(MigrationError, match="permission denied for schema public"):
        migrate(guest)
