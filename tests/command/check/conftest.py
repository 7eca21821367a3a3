"""The command, run in this process, and a deployment that is as it should be."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.checked import PASSWORD, SECRET, Deployment, Report
from support.command import SETTINGS
from support.postgres.embedded_server import embedded_server
from todo_api import cli
from todo_api.upkeep.migrate import migrate


@pytest.fixture
def check(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    logging_kept: None,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Report]:
    """Runs the command in this process, as an account that is not root, with nothing but these settings."""
    monkeypatch.chdir(tmp_path)
    for name in [*SETTINGS, *(name for name in os.environ if name.startswith("PG"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("todo_api.check.of_settings.running_as_root", lambda: False)

    def run(url: str | None = None, **settings: str) -> Report:
        given = {"BCRYPT_ROUNDS": "10", "PORT": "0", "WORKERS": "2", **settings}
        if url is not None:
            given = {"DATABASE_URL": url, "JWT_SECRET": SECRET, **given}
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            status = cli.main(["check", "--json"])
        out, err = capsys.readouterr()
        assert err == ""
        for secret in (SECRET, PASSWORD):
            assert secret not in out
        return Report(status, out)

    return run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of the superuser of a server that is as it should be."""
    with embedded_server(in_memory=True) as url:
        yield url


@pytest.fixture(scope="module")
def dba(server: str) -> Iterator[psycopg.Connection[Any]]:
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="module")
def migrated(server: str, dba: psycopg.Connection[Any]) -> str:
    """A migrated database to clone."""
    dba.execute("CREATE DATABASE migrated")
    migrate(make_conninfo(server, dbname="migrated"))
    dba.execute("CREATE ROLE check_serve LOGIN IN ROLE todo_app")
    return "migrated"


@pytest.fixture
def deployment(server: str, dba: psycopg.Connection[Any], migrated: str) -> Iterator[Deployment]:
    name = f"check_{next(_numbers)}"
    dba.execute(f"CREATE DATABASE {name} TEMPLATE {migrated}".encode())
    dba.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC".encode())
    dba.execute(f"GRANT CONNECT ON DATABASE {name} TO check_serve".encode())
    url = make_conninfo(server, dbname=name)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield Deployment(server, name, connection)
    dba.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


_numbers = iter(range(1, 1000))
