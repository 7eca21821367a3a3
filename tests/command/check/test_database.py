"""Databases that are wrong in one way."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.checked import Deployment, Report, broken
from todo_api.check import of_server


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "name", "level", "message", "hint"),
    [
        (
            "ALTER DATABASE {name} SET default_transaction_isolation = serializable",
            "isolation",
            "warning",
            "default_transaction_isolation is serializable",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "isolation",
            "warning",
            "default_transaction_read_only is on",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} SET synchronous_commit = off",
            "synchronous-commit",
            "warning",
            "synchronous_commit is off",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} SET session_replication_role = replica",
            "foreign-keys",
            "error",
            "session_replication_role is replica",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} IS_TEMPLATE true",
            "template",
            "error",
            "the database is a template",
            "make one",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "creators",
            "warning",
            "others may create",
            "FROM PUBLIC",
        ),
        (
            "GRANT CONNECT ON DATABASE {name} TO PUBLIC",
            "connecting",
            "warning",
            "every login",
            "REVOKE CONNECT",
        ),
        (
            "GRANT SELECT ON tasks TO PUBLIC",
            "rights",
            "error",
            "others have rights",
            "todo-api migrate",
        ),
        (
            "GRANT DELETE ON users TO todo_app",
            "roles",
            "error",
            "rights that no migration gave it",
            "revoke",
        ),
        (
            "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
            "row-security",
            "error",
            "forced on tasks",
            "ENABLE",
        ),
        (
            "UPDATE applied_migrations SET checksum = repeat('0', 64) WHERE id LIKE '0002%'",
            "migrations",
            "error",
            "edited since: 0002.users",
            "restore the file",
        ),
        (
            "DELETE FROM applied_migrations WHERE id LIKE '0011%'",
            "migrations",
            "error",
            "lacks 0011.housekeeping",
            "todo-api migrate",
        ),
        (
            "INSERT INTO applied_migrations (id, checksum) VALUES ('9999.next', repeat('0', 64))",
            "migrations",
            "warning",
            "newer than this version: it has 9999.next",
            "install",
        ),
        (
            "ALTER DATABASE {name} SET log_min_duration_statement = 100",
            "logging",
            "warning",
            "(log_min_duration_statement = 100ms)",
            "log_parameter_max_length = 0",
        ),
        (
            "ALTER DATABASE {name} SET log_statement = 'mod'",
            "logging",
            "warning",
            "(log_statement = mod)",
            "log_parameter_max_length = 0",
        ),
        (
            "ALTER DATABASE {name} SET log_parameter_max_length_on_error = -1",
            "logging",
            "warning",
            "(log_parameter_max_length_on_error = -1)",
            "log_parameter_max_length_on_error = 0",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tasks_newest_first'::regclass",
            "indexes",
            "warning",
            "can't use tasks_newest_first",
            "REINDEX",
        ),
        (
            "INSERT INTO housekeeping VALUES (true, now() - interval '4 hours')",
            "housekeeping",
            "warning",
            "the last sweep was 240 minutes ago",
            "todo-api prune",
        ),
        (
            "UPDATE applied_migrations SET applied_at = now() - interval '4 hours'",
            "housekeeping",
            "warning",
            "there was no sweep yet",
            "todo-api prune",
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 14",
            "connections",
            "warning",
            "this machine's workers may open 16",
            "CONNECTION LIMIT",
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 4",
            "connections",
            "warning",
            "of 4 are in use",
            "or end some",
        ),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(
    check: Callable[..., Report],
    deployment: Deployment,
    dba: psycopg.Connection[Any],
    command: str,
    name: str,
    level: str,
    message: str,
    hint: str,
) -> None:
    report = broken(check, deployment, command)
    dba.execute(f"ALTER DATABASE {deployment.name} IS_TEMPLATE false".encode())
    assert report.wrong.keys() == {name}
    assert report.wrong[name].startswith(f"{level}: ")
    assert message in report.wrong[name]
    assert hint in report.hint(name)


@pytest.mark.slow
def test_what_the_log_gets_without_values_is_not_warned_of(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = broken(
        check,
        deployment,
        "ALTER DATABASE {name} SET log_min_duration_statement = 100",
        "ALTER DATABASE {name} SET log_parameter_max_length = 0",
    )
    assert report.wrong == {}


@pytest.mark.slow
def test_a_server_that_may_lose_what_was_written_is_an_error(
    check: Callable[..., Report], database_url: str
) -> None:
    report = check(database_url)  # on the server of all tests, which is as fast as it can be
    assert report.wrong["durability"].startswith("error: fsync is off")
    assert report.wrong["autovacuum"].startswith("warning: autovacuum: off")


@pytest.mark.slow
def test_a_superuser_that_serves_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(deployment.owner)
    assert report.wrong.keys() == {"login"}
    assert "todo (superuser)" in report.wrong["login"]
    assert "CREATE ROLE todo_serve" in report.hint("login")


@pytest.mark.slow
def test_a_login_that_could_become_the_one_that_sees_all_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    deployment.run("CREATE ROLE check_insider LOGIN IN ROLE todo_auth")
    try:
        report = broken(check, deployment, "GRANT CONNECT ON DATABASE {name} TO check_insider")
    finally:
        deployment.run("DROP OWNED BY check_insider")
        deployment.run("DROP ROLE check_insider")
    assert report.wrong.keys() == {"insiders"}


@pytest.mark.slow
def test_another_encoding_is_an_error_and_so_is_a_schema_that_is_not_there(
    check: Callable[..., Report], server: str, dba: psycopg.Connection[Any]
) -> None:
    dba.execute(
        "CREATE DATABASE check_latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    try:
        report = check(make_conninfo(server, dbname="check_latin"))
    finally:
        dba.execute("DROP DATABASE check_latin WITH (FORCE)")
    assert "LATIN1, which can't hold every title" in report.wrong["encoding"]
    assert report.wrong["migrations"] == "error: the schema is not there"
    assert report.hint("migrations") == "run `todo-api migrate` first"


@pytest.mark.slow
def test_without_the_owners_login_what_it_would_see_is_said_to_be_not_looked_at(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(deployment.service)
    assert report.wrong.keys() == {"migrating"}
    assert "check_serve may not create in the schema public" in report.wrong["migrating"]
    late = check(deployment.service, MIGRATE_ON_START="false")
    assert late.wrong == {}
    assert late.well["migrating"] == "check_serve can't migrate, and the start does not try"
    for name in ("expired", "quotas"):
        assert report.well[name].startswith("not looked at: permission denied")
    assert {"sizes", "housekeeping"} <= report.well.keys()


@pytest.mark.slow
def test_what_the_next_migration_would_refuse_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    deployment.run("CREATE ROLE check_gardener")
    try:
        report = broken(
            check,
            deployment,
            "CREATE FUNCTION public.lower(text, text) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "ALTER FUNCTION public.lower(text, text) OWNER TO check_gardener",
        )
    finally:
        deployment.run("DROP OWNED BY check_gardener")
        deployment.run("DROP ROLE check_gardener")
    assert report.wrong.keys() == {"planted"}
    assert "the function lower(text,text) of check_gardener" in report.wrong["planted"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("off_s", "level"),
    [(-3600, "error"), (11, "error"), (-7, "warning"), (7, "warning"), (3, None), (-3, None)],
)
def test_a_clock_that_is_wrong_is_found_before_tokens_are_refused(
    check: Callable[..., Report],
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    off_s: int,
    level: str | None,
) -> None:
    now = time.time
    monkeypatch.setattr(of_server, "machine_time", lambda: now() + off_s)
    report = check(**deployment.both)
    assert report.wrong.keys() == ({"clock"} if level else set())
    if level:
        side = "ahead" if off_s < 0 else "behind"
        told = f"{level}: the server's clock is {abs(off_s):.1f} s {side}: "
        assert report.wrong["clock"].startswith(told)
