"""One database for the tests of a file, a proxy before it, and the way to it as the service has it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.postgres.proxy import Proxy, proxied
from todo_api.database.data import Database


@pytest.fixture(scope="module")
def shared_url(postgres: str, template: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    admin.execute(f"CREATE DATABASE data TEMPLATE {template}")
    yield make_conninfo(postgres, dbname="data")
    admin.execute("DROP DATABASE data WITH (FORCE)")


@pytest.fixture
def database_url(shared_url: str) -> Iterator[str]:
    """One database for all tests here, emptied after each: quicker than a clone for each."""
    yield shared_url
    with psycopg.connect(shared_url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("DROP FUNCTION IF EXISTS wait, fail CASCADE")
        connection.execute("ALTER DATABASE data RESET ALL")
        connection.execute("TRUNCATE users, auth_events, rate_limits CASCADE")


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with proxied(database_url) as proxy:
        yield proxy


@pytest.fixture
def database(service_url: str, prepared_statements: bool) -> Iterator[Database]:
    with closing(
        Database(service_url, connections=8, prepared_statements=prepared_statements)
    ) as database:
        yield database


@pytest.fixture
def single(proxy: Proxy) -> Iterator[Database]:
    """A pool of one connection, by way of the proxy."""
    with closing(Database(proxy.url, connections=1)) as database:
        yield database


@pytest.fixture(params=[True, False], ids=["prepared", "not prepared"])
def either(proxy: Proxy, request: pytest.FixtureRequest) -> Iterator[Database]:
    """As `single`, with PREPARED_STATEMENTS and without."""
    with closing(Database(proxy.url, connections=1, prepared_statements=request.param)) as database:
        yield database
