"""The check before serving on a Citus coordinator: sql/distribute.sql was run after the newest migration.

What the script does there is in tests/citus; here the extension is only a name.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from todo_api import cli
from todo_api.upkeep.role_check import RoleError, check_role


@pytest.fixture
def coordinator(
    database_url: str, superuser: psycopg.Connection[Any]
) -> Iterator[psycopg.Connection[Any]]:
    superuser.execute(
        "INSERT INTO pg_extension SELECT 999999, 'citus', extowner, extnamespace, false, '0', null, null"
        " FROM pg_extension WHERE extname = 'plpgsql'"
    )
    yield superuser
    superuser.execute("DELETE FROM pg_extension WHERE extname = 'citus'")


def distributed_after(connection: psycopg.Connection[Any], migration: str) -> None:
    connection.execute(
        f"COMMENT ON FUNCTION begin_request(uuid) IS 'Made by distribute.sql after {migration}'".encode()
    )


def test_a_coordinator_that_was_never_distributed_is_refused_in_one_line(
    database_url: str, coordinator: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main(
        ["serve", "--database-url", database_url, "--jwt-secret", "a secret of the tests, " * 2]
    )
    assert status == 1
    [line] = [one for one in capsys.readouterr().err.splitlines() if "distribute.sql" in one]
    assert "this is a Citus coordinator" in line
    assert "sql/SCALING.md" in line


def test_so_is_one_that_was_migrated_since(
    database_url: str, coordinator: psycopg.Connection[Any]
) -> None:
    newest = coordinator.execute("SELECT max(id) FROM applied_migrations").fetchone()
    assert newest
    distributed_after(coordinator, newest[0])
    check_role(database_url)
    distributed_after(coordinator, "0008.end_sessions")
    with pytest.raises(RoleError, match=rf"distribute\.sql has not been run after {newest[0]}: "):
        check_role(database_url)


def test_elsewhere_the_script_is_not_missed(database_url: str) -> None:
    check_role(database_url)
