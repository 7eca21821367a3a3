"""What the tests of migrations do with a database and with a folder of migrations."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from support.postgres.catalogue import catalogue

SHIPPED = Path(__file__).parent.parent.parent / "migrations"
IDS = sorted(
    file.stem for file in SHIPPED.glob("[0-9]*.sql") if not file.name.endswith(".rollback.sql")
)
PROCESS = Path(__file__).with_name("migrating_process.py")
ROUNDS = int(os.environ.get("RACE_ROUNDS", "5"))
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
