"""Contract tests change rows, never the schema: they share one database, emptied after each."""

from collections.abc import Iterator
from typing import Any

import citus_cluster
import psycopg
import pytest
import watched
from conftest import keeper
from psycopg.conninfo import make_conninfo


@pytest.fixture(scope="session", autouse=True)
def looked_through() -> Iterator[None]:
    """Keeps how much was looked through for leaks."""
    yield
    what = "answers and log lines of the contract's tests looked through: leaks"
    keeper("pytest tests/contract")(11, what, f"{watched.texts}: 0")


@pytest.fixture(scope="session")
def shared_database_url(request: pytest.FixtureRequest) -> str:
    """A clone of the template or, with CITUS_URL, the distributed database there."""
    if citus_cluster.URL:
        return str(request.getfixturevalue("distributed_url"))
    server, template, admin = map(request.getfixturevalue, ("postgres", "template", "admin"))
    admin.execute(f"CREATE DATABASE contract TEMPLATE {template}")
    return make_conninfo(server, dbname="contract")


@pytest.fixture(scope="session")
def shared_superuser(shared_database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def database_url(
    shared_database_url: str, shared_superuser: psycopg.Connection[Any]
) -> Iterator[str]:
    """A migrated database without rows."""
    yield shared_database_url
    for table in ("auth_events", "users", "rate_limits"):
        shared_superuser.execute(f"DELETE FROM {table}")
