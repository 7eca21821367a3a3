"""Migrations of tables with rows: indexes outside a transaction, and what a DBA is told to do."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from migrations.trial import (
    ADD_INDEX,
    ADD_TASKS,
    DROP_INDEX,
    IDS,
    SHIPPED,
    USABLE,
    Migrator,
    add,
    applied,
    migrators,
    snapshot,
)
from support.waiting import until
from todo_api.embedded.programs import find_programs
from todo_api.upkeep.migrate import MigrationError, migrate, rollback


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert with_tasks.execute("SELECT DISTINCT colour FROM tasks").fetchall() == [("",)]
    invalid = "SELECT FROM pg_constraint WHERE NOT convalidated AND conrelid = 'tasks'::regclass"
    assert with_tasks.execute(invalid).fetchone() is None


@pytest.mark.slow
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
