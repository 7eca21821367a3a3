"""A database in which the service can't work is refused before anything is applied, in one line."""

import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from todo_api.upkeep.database_check import UnfitDatabaseError, check_database, require_fit
from todo_api.upkeep.migrate import MigrationError, migrate

_numbers = itertools.count(1)


@pytest.fixture
def make_database(postgres: str, admin: psycopg.Connection[Any]) -> Iterator[Callable[[str], str]]:
    made = []

    def make(options: str = "") -> str:
        made.append(f"odd_{next(_numbers)}")
        admin.execute(f"CREATE DATABASE {made[-1]} {options}".encode())
        return make_conninfo(postgres, dbname=made[-1])

    yield make
    for name in made:
        admin.execute(f"ALTER DATABASE {name} IS_TEMPLATE false")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def login(admin: psycopg.Connection[Any]) -> Iterator[str]:
    name = f"odd_login_{next(_numbers)}"
    admin.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    admin.execute(f"DROP ROLE {name}")


def is_untouched(url: str) -> bool:
    with psycopg.connect(url, client_encoding="utf8") as connection:
        found = connection.execute(
            "SELECT FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
        ).fetchall()
    return not found


def refusals(url: str) -> set[str]:
    """What the check before serving says, and what migrating says."""
    said = set()
    with pytest.raises(UnfitDatabaseError) as caught:
        check_database(url)
    said.add(str(caught.value))
    with pytest.raises(MigrationError) as refused:
        migrate(url)
    said.add(str(refused.value))
    assert is_untouched(url)
    return said


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "LATIN9", "WIN1252", "EUC_JP"])
def test_an_encoding_that_cannot_hold_every_title_is_refused_by_its_name(
    make_database: Callable[[str], str], encoding: str
) -> None:
    url = make_database(f"ENCODING '{encoding}' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
    [said] = refusals(url)
    assert f"the encoding of the database is {encoding}" in said
    assert "ENCODING 'UTF8'" in said


def test_a_template_is_refused(
    make_database: Callable[[str], str], admin: psycopg.Connection[Any]
) -> None:
    [said] = refusals(make_database("IS_TEMPLATE true"))
    assert "the database is a template" in said


@pytest.mark.slow
def test_a_database_without_the_schema_is_told_how_to_make_it(
    make_database: Callable[..., str],
) -> None:
    url = make_database()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("DROP SCHEMA public")
        [said] = refusals(url)
        assert said.endswith('CREATE SCHEMA public AUTHORIZATION "todo"')
        owner.execute(said.split(": ")[1].encode())
    assert migrate(url)


def test_a_login_that_may_not_create_is_told_what_to_run(
    make_database: Callable[..., str], login: str
) -> None:
    url = make_database()
    narrow = make_conninfo(url, user=login)
    with pytest.raises(MigrationError, match="may not create in the schema public") as caught:
        migrate(narrow)
    assert str(caught.value).endswith(f'GRANT CREATE ON SCHEMA public TO "{login}"')
    assert is_untouched(url)


def test_a_login_without_foreign_keys_is_refused(
    make_database: Callable[..., str], admin: psycopg.Connection[Any]
) -> None:
    url = make_database()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {owner.info.dbname} SET session_replication_role = replica")
    [said] = refusals(url)
    assert "RESET session_replication_role" in said


def test_a_commit_that_does_not_wait_for_the_disk_is_warned_of(
    make_database: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    url = make_database()
    check_database(url)
    assert caplog.text == ""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {owner.info.dbname} SET synchronous_commit = off")
    check_database(url)
    assert "synchronous_commit is off" in caplog.text


def test_an_old_server_is_refused_before_it_is_asked_anything() -> None:
    old: Any = SimpleNamespace(info=SimpleNamespace(server_version=140_012))
    with pytest.raises(UnfitDatabaseError, match="PostgreSQL 14: 15 or newer is needed"):
        require_fit(old, lambda *_, **__: pytest.fail("asked"), until_commit=True)
