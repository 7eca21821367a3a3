"""A server of its own for each file that needs one: roles, and rights of others, come and go on it."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.postgres.embedded_server import embedded_server
from todo_api import cli

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of its superuser."""
    with embedded_server(in_memory=True, fsync="off") as url:
        yield url


@pytest.fixture(scope="module")
def dba(server: str) -> Iterator[psycopg.Connection[Any]]:
    """The superuser's connection."""
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        yield connection


@pytest.fixture
def role(dba: psycopg.Connection[Any]) -> Iterator[Callable[..., str]]:
    """Makes roles; their names. They stay until the server goes, but can't log in any more."""
    made = []

    def make(options: str = "LOGIN") -> str:
        name = f"role_{next(_numbers)}"
        dba.execute(f"CREATE ROLE {name} {options}".encode())
        made.append(name)
        return name

    yield make
    for name in made:
        dba.execute(f"ALTER ROLE {name} NOLOGIN".encode())


Deployment = Callable[..., str]


@pytest.fixture
def deployment(
    server: str, dba: psycopg.Connection[Any], role: Callable[..., str]
) -> Iterator[Deployment]:
    """Makes a database and the login that owns it, as the operators' guide does; the login's URL."""
    made = []

    def make(options: str = "LOGIN CREATEROLE") -> str:
        owner = role(options)
        made.append(f"db_of_{owner}")
        dba.execute(f"CREATE DATABASE {made[-1]} OWNER {owner}".encode())
        # the second deployment of a server finds the roles there, and may not grant them to itself
        if dba.execute("SELECT 1 FROM pg_roles WHERE rolname = 'todo_app'").fetchone():
            dba.execute(f"GRANT todo_app, todo_auth TO {owner}".encode())
        return make_conninfo(server, user=owner, dbname=made[-1])

    yield make
    for name in made:
        dba.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def todo_api_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logging_kept: None
) -> Callable[..., int]:
    """Runs a command of todo-api on the test's database; its exit status."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JWT_SECRET", raising=False)
    return lambda *arguments: cli.main(list(arguments))
