"""The login that serves should be able to become nobody but todo_app; start-up warns of one that could."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from todo_api.database import pool
from todo_api.upkeep.asking import login_of, place_of
from todo_api.upkeep.migrate import migrate, newest
from todo_api.upkeep.migration_files import MigrationError
from todo_api.upkeep.role_check import check_role

SUPERUSER = "SUPERUSER"


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What start-up has said of the login."""
    return [
        one.getMessage()
        for one in caplog.records
        if one.levelname == "WARNING" and one.getMessage().startswith("the login ")
    ]


@pytest.fixture
def owner(deployment: Callable[..., str]) -> str:
    """The owner's URL of a migrated database."""
    url = deployment()
    migrate(url)
    return url


@pytest.fixture
def login(owner: str, role: Callable[..., str], dba: psycopg.Connection[Any]) -> Callable[..., str]:
    """Makes a login that serves; its name."""

    def make(options: str = "", *grants: str) -> str:
        name = role(f"LOGIN {options} IN ROLE todo_app")
        dba.execute(
            f"GRANT CONNECT ON DATABASE {conninfo_to_dict(owner)['dbname']} TO {name}".encode()
        )
        for grant in grants:
            dba.execute(f"GRANT {grant.format(name=name)}".encode())
        return name

    return make


@pytest.mark.slow
def test_a_narrow_login_is_not_warned_of(
    owner: str, login: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    check_role(make_conninfo(owner, user=login()))
    assert warned(caplog) == []


@pytest.mark.parametrize(
    ("options", "power"),
    [
        ("SUPERUSER", "{name} (superuser)"),
        ("BYPASSRLS", "{name} (BYPASSRLS)"),
        ("CREATEROLE", "{name} (CREATEROLE)"),
        ("REPLICATION", "{name} (REPLICATION)"),
    ],
)
def test_an_attribute_that_gives_more_is_warned_of(
    owner: str,
    login: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
    options: str,
    power: str,
) -> None:
    name = login(options)
    check_role(make_conninfo(owner, user=name))
    [said] = warned(caplog)
    told = f"the login {name} serves, and could do more than that: {power.format(name=name)}. Let a login"
    assert said.startswith(told)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("SUPERUSER", "superuser"),
        ("BYPASSRLS", "BYPASSRLS"),
        ("CREATEROLE", "CREATEROLE"),
        ("todo_auth", "sees all accounts and sessions"),
        ("pg_read_all_data", "predefined"),
        ("pg_execute_server_program", "predefined"),
        ("the owner", "owner"),
    ],
)
def test_a_role_that_it_could_become_is_warned_of(
    owner: str,
    login: Callable[..., str],
    role: Callable[..., str],
    dba: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
    attributes: str,
    reason: str,
    steps: int,
) -> None:
    if attributes.isupper():
        mighty = role(f"NOLOGIN {attributes}")
    else:
        mighty = str(conninfo_to_dict(owner)["user"]) if attributes == "the owner" else attributes
    way = mighty
    if steps == 2:
        way = role("NOLOGIN NOINHERIT")
        dba.execute(f"GRANT {mighty} TO {way}".encode())
    name = login("", f"{way} TO {{name}}")
    check_role(make_conninfo(owner, user=name))
    [said] = warned(caplog)
    assert f"{mighty} ({reason})" in said


def test_the_right_to_pass_the_services_role_on_is_warned_of(
    owner: str, login: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    check_role(make_conninfo(owner, user=login("", "todo_app TO {name} WITH ADMIN OPTION")))
    [said] = warned(caplog)
    assert "todo_app (may grant it to others)" in said


def test_one_login_for_everything_serves_and_the_commands_of_the_warning_make_a_narrow_one(
    owner: str,
    dba: psycopg.Connection[Any],
    role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_role(owner)
    [said] = warned(caplog)
    name = conninfo_to_dict(owner)["user"]
    assert f"{name} (owner)" in said
    assert said.endswith(f"then DATABASE_URL has todo_serve, and MIGRATE_URL has {name}")
    caplog.clear()
    create, grant, _ = said.partition("a login serve that can't: ")[2].split("; ")
    dba.execute(create.encode())
    try:
        dba.execute(grant.encode())
        check_role(make_conninfo(owner, user="todo_serve"))
        assert warned(caplog) == []
        migrate(owner, login="todo_serve")
    finally:
        dba.execute(
            f"REVOKE ALL ON DATABASE {conninfo_to_dict(owner)['dbname']} FROM todo_serve".encode()
        )
        dba.execute("DROP ROLE todo_serve")


def test_a_role_of_the_service_that_may_make_roles_is_refused(
    owner: str, dba: psycopg.Connection[Any]
) -> None:
    dba.execute("ALTER ROLE todo_app CREATEROLE")
    try:
        with pytest.raises(Exception, match="todo_app may bypass row security, by way of todo_app"):
            check_role(owner)
    finally:
        dba.execute("ALTER ROLE todo_app NOCREATEROLE")


def test_a_place_is_told_without_the_password(server: str) -> None:
    told = place_of(make_conninfo(server, password="Pa55word"))
    parts = conninfo_to_dict(server)
    assert told == f"todo at host {parts['host']}, port 5432"
    assert login_of("postgresql://ann:Pa55word@db.example.com/todo") == "ann"
    assert login_of("host=db.example.com dbname=todo") is None


def test_a_rollback_with_the_login_that_serves_names_the_login_that_it_needs(
    owner: str, login: Callable[..., str]
) -> None:
    with pytest.raises(MigrationError, match=r"permission denied .* \(MIGRATE_URL\)"):
        newest(make_conninfo(owner, user=login()), 1)


def test_a_database_that_takes_long_to_connect_to_is_served_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven round trips for TLS and the login: longer than a request waits for a connection."""
    monkeypatch.setattr(pool, "POOL_TIMEOUT_S", 0.001)
    check_role(database_url)
