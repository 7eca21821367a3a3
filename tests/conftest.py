"""One PostgreSQL for the run, a migrated template in it, and a clone of that for each test.

Tests marked `contract` change rows, never the schema: they share one database, emptied after each.
"""

import gc
import itertools
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg.conninfo import make_conninfo

from support import watched as watched_texts
from support.accounts import Account
from support.credentials import SECRET
from support.figures import Keep, command_of, keeper
from support.leaks import Scan
from support.logging_kept import logging_as_before
from support.parsed_once import parse_once
from support.postgres import citus_cluster
from support.postgres.dba_scripts import partition
from support.postgres.embedded_server import embedded_server
from support.postgres.pgbouncer import PgBouncer, pgbouncer
from support.scheduling import OnePiece, Pieces
from support.watched import watching
from todo_api.app import create_app
from todo_api.settings.config import Config
from todo_api.upkeep.migrate import migrate

_numbers = itertools.count(1)

# Without a cluster there is nothing to collect there.
collect_ignore = [] if citus_cluster.URL else ["citus"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests/resilience out, unless it is asked for by name: it takes as long as a third of the rest."""
    asked = any("resilience" in argument for argument in config.args)
    return True if collection_path.name == "resilience" and not asked else None


def pytest_configure(config: pytest.Config) -> None:
    """Let Python keep bytecode, even where the environment forbids it.

    Otherwise each process of the run compiles all tests, and each service that a test starts all modules.
    """
    # A shell that runs the tests in the background lets them ignore Ctrl-C, and so do all processes that they
    # start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parse_once()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for garbage in what the tests make, not in the tests: 300 000 objects that all stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out; those of the cluster may not empty each other's tables."""
    return (OnePiece if citus_cluster.URL else Pieces)(config, log)


@pytest.fixture(scope="session")
def distributed_url() -> Iterator[str]:
    """The database of CITUS_URL, migrated and distributed."""
    with citus_cluster.distributed() as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a superuser on the run's server."""
    # Clones and drops by the hundred would wait for a disk; nothing here has to survive a crash.
    with embedded_server(in_memory=True, fsync="off", autovacuum="off") as url:
        yield url


@pytest.fixture(scope="session")
def admin(postgres: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, for what tests arrange and check behind the service's back."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template(postgres: str, admin: psycopg.Connection[Any]) -> str:
    """A migrated database to clone; with TEST_LAYOUT=partitions one that a DBA has partitioned."""
    admin.execute("CREATE DATABASE template_of_tests")
    url = make_conninfo(postgres, dbname="template_of_tests")
    migrate(url)
    layout = os.environ.get("TEST_LAYOUT", "plain")
    if layout == "partitions":
        with psycopg.connect(url, autocommit=True) as connection:
            partition(connection)
    elif layout != "plain":
        pytest.exit(f"TEST_LAYOUT={layout}: it is plain or partitions")
    return "template_of_tests"


@pytest.fixture
def empty_database_url(postgres: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"empty_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name}")
    yield make_conninfo(postgres, dbname=name)
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def cloned_database_url(
    postgres: str, template: str, admin: psycopg.Connection[Any]
) -> Iterator[str]:
    """A migrated database of the test's own."""
    name = f"test_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield make_conninfo(postgres, dbname=name)
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def looked_through() -> Iterator[None]:
    """Keeps how much of the contract's tests was looked through for leaks."""
    yield
    what = "answers and log lines of the contract's tests looked through: leaks"
    keeper("pytest -m contract")(11, what, f"{watched_texts.texts}: 0")


@pytest.fixture(scope="session")
def shared_database_url(request: pytest.FixtureRequest, looked_through: None) -> str:
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
def emptied_database_url(
    shared_database_url: str, shared_superuser: psycopg.Connection[Any]
) -> Iterator[str]:
    """The database of the tests marked `contract`, emptied after the test."""
    yield shared_database_url
    for table in ("auth_events", "users", "rate_limits", "invites"):
        shared_superuser.execute(f"DELETE FROM {table}")


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without rows."""
    shared = request.node.get_closest_marker("contract")
    return str(request.getfixturevalue("emptied_database_url" if shared else "cloned_database_url"))


@pytest.fixture
def superuser(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def pooler(postgres: str) -> Iterator[PgBouncer | None]:
    """What lies between the service and PostgreSQL: nothing, or a PgBouncer with THROUGH_PGBOUNCER=1."""
    if not os.environ.get("THROUGH_PGBOUNCER"):
        yield None
        return
    with pgbouncer(postgres) as running:
        yield running


@pytest.fixture
def service_url(database_url: str, pooler: PgBouncer | None) -> str:
    """The test's database as the service gets at it."""
    return pooler.url(database_url) if pooler else database_url


@pytest.fixture
def prepared_statements(pooler: PgBouncer | None) -> bool:
    return pooler is None or pooler.prepares


@pytest.fixture
def config(service_url: str, prepared_statements: bool) -> Config:
    """Settings for tests: cheap hashes, and a rate limit that nobody meets by accident."""
    return Config(
        database_url=service_url,
        prepared_statements=prepared_statements,
        jwt_secret=SECRET,
        bcrypt_rounds=4,
        auth_rate_limit="1000 per minute",
        account_guess_limit="1000 per hour",
        threads=4,
    )


@pytest.fixture
def logging_kept() -> Iterator[None]:
    """For tests that set logging up, as a command does for its process: as it was before, afterwards."""
    with logging_as_before():
        yield


@pytest.fixture
def watched() -> Iterator[Scan]:
    """What applications answer and log in the test. Whatever it is about, nothing may leak in it."""
    with watching(SECRET) as scan:
        yield scan
    assert scan.found == []


def _end(app: Flask) -> None:
    app.extensions["database"].close()
    app.extensions["hasher"].close()


@pytest.fixture
def make_app(config: Config, watched: Scan) -> Iterator[Callable[..., Flask]]:
    """Makes applications of the test's own, whose settings differ from `config` as the arguments say."""
    made = []

    def make(**settings: Any) -> Flask:
        made.append(create_app(replace(config, **settings)))
        return made[-1]

    yield make
    for app in made:
        _end(app)


@pytest.fixture(scope="session")
def shared_apps() -> Iterator[dict[Config, Flask]]:
    """The applications on the shared database, by their settings."""
    apps: dict[Config, Flask] = {}
    yield apps
    for app in apps.values():
        _end(app)


@pytest.fixture
def shared_app(
    config: Config, watched: Scan, shared_apps: dict[Config, Flask]
) -> Callable[..., Flask]:
    """An application on the shared database as `make_app` makes them, but used by one test after another."""

    def share(**settings: Any) -> Flask:
        chosen = replace(config, **settings)
        if chosen not in shared_apps:
            shared_apps[chosen] = create_app(chosen)
        return shared_apps[chosen]

    return share


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Flask:
    shared = request.node.get_closest_marker("contract")
    made: Flask = request.getfixturevalue("shared_app" if shared else "make_app")()
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def sign_up(client: FlaskClient) -> Callable[..., Account]:
    """Signs a new user up."""

    def sign_up(email: str | None = None, password: str = "correct horse battery") -> Account:
        return Account(client, email or f"{uuid.uuid4().hex}@example.com", password)

    return sign_up


@pytest.fixture
def ann(sign_up: Callable[..., Account]) -> Account:
    return sign_up("ann@example.com")


@pytest.fixture
def bob(sign_up: Callable[..., Account]) -> Account:
    return sign_up("bob@example.com")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Keep:
    """Keeps rows of a test."""
    return keeper(command_of(request.node))


@pytest.fixture(scope="module")
def figure_of_file(request: pytest.FixtureRequest) -> Keep:
    """Keeps rows that the tests of a file make together."""
    return keeper(command_of(request.node))
