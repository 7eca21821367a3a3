"""sql/distribute.sql against the migrations, without a cluster: it must not say less than they do."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from support.postgres.dba_scripts import FOLDER

pytestmark = pytest.mark.partitioned
SCRIPT = (FOLDER / "distribute.sql").read_text(encoding="utf-8")
# what plain PostgreSQL understands of it
PREPARATION = SCRIPT.split("\nBEGIN;\n")[1].split("\nDO $distribute$")[0]


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser in a transaction that ends with the test: roles belong to the whole server."""
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute("DO $$ BEGIN END $$")  # loads plpgsql, with its settings
        yield connection


def policies(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, str]]:
    """What holds the service's role to the user's rows, without the sub-select that Citus refuses."""
    bare = re.compile(r"\( SELECT (.*?)(?: AS \"nullif\")?\)(?=\)*(?: OR |$))")
    rows = connection.execute(
        "SELECT tablename || ' ' || policyname || ' ' || cmd, coalesce(qual, ''), coalesce(with_check, '')"
        " FROM pg_policies"
        " WHERE roles = '{todo_app}' AND tablename !~ '_\\d\\d$'"
    ).fetchall()
    return {name: (bare.sub(r"\1", using), bare.sub(r"\1", check)) for name, using, check in rows}


def settings(connection: psycopg.Connection[Any], user: str | None) -> dict[str, str]:
    """What differs once a request has begun."""
    connection.execute(
        "SELECT set_config('app.user_id', 'nobody yet', true), set_config('row_security', 'off', true)"
    )
    every = (
        "SELECT name, setting FROM pg_settings UNION ALL SELECT 'role', current_user::text"
        " UNION ALL SELECT 'app.user_id', current_setting('app.user_id', true)"
    )
    before = dict(connection.execute(every).fetchall())
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT begin_request(%s)", (user,))
        after = connection.execute(every).fetchall()
    return {name: value for name, value in after if before.get(name) != value}


def test_its_policies_are_those_of_the_migrations_without_the_sub_select(
    connection: psycopg.Connection[Any],
) -> None:
    before = policies(connection)
    assert len(before) == 11
    connection.execute(PREPARATION.encode())
    assert policies(connection) == before
    raw = connection.execute(
        "SELECT tablename FROM pg_policies WHERE concat(qual, with_check) ~ 'SELECT'"
    ).fetchall()
    assert raw == [("auth_events",)]  # which stays PostgreSQL's own


@pytest.mark.parametrize("user", [None, "0a3b8f0e-2a7b-4b44-9d59-3f0c5d0c1e11"])
def test_its_begin_request_sets_what_the_migrations_sets(
    connection: psycopg.Connection[Any], user: str | None
) -> None:
    before = settings(connection, user)
    assert {"app.user_id", "lock_timeout", "role", "statement_timeout"} <= set(before)
    connection.execute(PREPARATION.encode())
    after = settings(connection, user)
    assert after.pop("citus.propagate_set_commands", "local") == "local"
    assert after == before


def test_it_grants_nothing_but_the_columns_with_a_default(
    connection: psycopg.Connection[Any],
) -> None:
    # as later migrations would: columns that the service may set, that PostgreSQL makes, that nobody may set
    for change in (
        "ALTER TABLE tasks ADD COLUMN urgency integer NOT NULL DEFAULT 0",
        "ALTER TABLE tasks ADD COLUMN words text GENERATED ALWAYS AS (lower(title)) STORED",
        "CREATE TABLE codes (user_id uuid PRIMARY KEY REFERENCES users, code text DEFAULT 'x')",
        "CREATE TABLE hidden (user_id uuid PRIMARY KEY REFERENCES users, code text DEFAULT 'x')",
        "GRANT INSERT (user_id) ON codes TO todo_app",
    ):
        connection.execute(change.encode())
    grants = (
        "SELECT table_name || '.' || column_name, privilege_type FROM information_schema.column_privileges"
        " WHERE grantee = 'todo_app'"
    )
    before = set(connection.execute(grants).fetchall())
    connection.execute(PREPARATION.encode())
    added = set(connection.execute(grants).fetchall()) - before
    defaults = connection.execute(
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE column_default IS NOT NULL AND table_schema = 'public' AND table_name IN (SELECT table_name"
        " FROM information_schema.columns WHERE column_name = 'user_id')"
        " AND table_name NOT IN ('auth_events', 'hidden')"
        " AND NOT (SELECT relispartition FROM pg_class WHERE oid = table_name::regclass)"
    ).fetchall()
    assert added == {(column, "INSERT") for (column,) in defaults} - before
    assert {("tasks.urgency", "INSERT"), ("codes.code", "INSERT")} <= added
