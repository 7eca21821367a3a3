"""A server of its own for each file, empty databases, and a folder of migrations to change."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from migrations.trial import (
    ADD_INDEX,
    ADD_TASKS,
    DROP_INDEX,
    SHIPPED,
    add,
    drop_roles,
)
from support.postgres.embedded_server import embedded_server
from todo_api.upkeep.migrate import migrate

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of the file's own: the roles of the service come and go on it."""
    with embedded_server(in_memory=True, fsync="off") as url:
        yield url


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
