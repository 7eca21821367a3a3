"""Nobody but the service's roles has a right on its objects, whatever default privileges or a DBA grant."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pglast
import psycopg
import pytest
from pglast import ast
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo import read_migrations

from support.rules.user_rule import walk
from todo_api.upkeep.made_objects import names_made, shipped_names
from todo_api.upkeep.migrate import MigrationError, migrate, rollback
from todo_api.upkeep.role_check import RoleError, check_role

SHIPPED = Path(__file__).parents[2] / "migrations"
# What a role may do with anything in the schema, by PostgreSQL's own functions.
REACHED = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND CASE
        WHEN relkind IN ('r', 'p', 'v', 'm') THEN
            has_table_privilege(
                %(who)s, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'
            )
            OR has_any_column_privilege(%(who)s, oid, 'SELECT, INSERT, UPDATE, REFERENCES')
        WHEN relkind = 'S' THEN has_sequence_privilege(%(who)s, oid, 'USAGE, SELECT, UPDATE')
        ELSE false
    END
    UNION ALL
    SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        AND has_function_privilege(%(who)s, oid, 'EXECUTE')
    UNION ALL
    SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e')
        AND has_type_privilege(%(who)s, oid, 'USAGE')
"""
DEFAULTS = {
    "all functions, as on Supabase": "GRANT ALL ON FUNCTIONS TO {who}",
    "all tables": "GRANT ALL ON TABLES TO {who}",
    "all tables, to be passed on": "GRANT ALL ON TABLES TO {who} WITH GRANT OPTION",
    "to read tables": "GRANT SELECT ON TABLES TO {who}",
    "all sequences": "GRANT ALL ON SEQUENCES TO {who}",
    "all functions to everybody": "GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    "all tables to everybody": "GRANT ALL ON TABLES TO PUBLIC",
    "types": "GRANT USAGE ON TYPES TO {who}",
    "the service's role may pass its rights on": "GRANT SELECT ON SEQUENCES TO todo_app WITH GRANT OPTION",
}


def run(url: str, *commands: str, **names: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for command in commands:
            connection.execute(command.format(**names).encode())


def reached(url: str, who: str) -> list[str]:
    """What of the schema `who` can get at."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        return sorted(name for (name,) in connection.execute(REACHED, {"who": who}))


@pytest.fixture
def anon(role: Callable[..., str]) -> str:
    return role("NOLOGIN")


@pytest.fixture
def migrated(deployment: Callable[..., str]) -> str:
    """The owner's URL of a migrated database."""
    url = deployment()
    migrate(url)
    return url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations, to add to."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "migrations"))


def add(folder: Path, name: str, up: str) -> None:
    (folder / f"{name}.sql").write_text(f"-- depends: {newest(folder)}\n\n{up}\n")
    (folder / f"{name}.rollback.sql").write_text("SELECT 1;\n")


def newest(folder: Path) -> str:
    return max(file.stem for file in folder.glob("[0-9]*[a-z].sql") if "rollback" not in file.name)


# --- default privileges ---


@pytest.mark.slow
@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("schema", ["", "IN SCHEMA public"])
def test_default_privileges_give_nobody_a_right(
    deployment: Callable[..., str], anon: str, default: str, schema: str
) -> None:
    first = deployment()
    migrate(first)  # the roles of the service are there now
    url = deployment()
    run(url, f"ALTER DEFAULT PRIVILEGES {schema} {DEFAULTS[default]}", who=anon)
    run(url, "CREATE TABLE probe ()", "CREATE FUNCTION probe() RETURNS int LANGUAGE sql RETURN 1")
    before = reached(url, anon)  # what is not the service's
    migrate(url)
    assert reached(url, anon) == before
    check_role(url)


@pytest.mark.slow
def test_default_privileges_of_the_role_that_gets_the_functions_give_nobody_a_right(
    deployment: Callable[..., str], dba: psycopg.Connection[Any], anon: str
) -> None:
    migrate(deployment())
    url = deployment()
    superuser = make_conninfo(url, user=dba.info.user)
    run(
        superuser,
        "ALTER DEFAULT PRIVILEGES FOR ROLE todo_auth GRANT ALL ON FUNCTIONS TO {who}",
        who=anon,
    )
    migrate(url)
    assert reached(url, anon) == []


@pytest.mark.slow
def test_there_is_no_moment_in_which_a_migration_shows_what_it_made(
    deployment: Callable[..., str], folder: Path, anon: str
) -> None:
    url = deployment()
    run(url, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {who}", who=anon)
    add(folder, "0901.fails", "SELECT 1 / 0;")
    with pytest.raises(MigrationError, match=r"0901\.fails failed"):
        migrate(url, folder)
    assert reached(url, anon) == []


LATER = """
CREATE TABLE IF NOT EXISTS public.notes (id bigint GENERATED ALWAYS AS IDENTITY, label text);
create unlogged table scratch (note text);
CREATE TYPE colour AS ENUM ('red');
CREATE DOMAIN short AS text;
CREATE VIEW titles AS SELECT title FROM tasks;
CREATE MATERIALIZED VIEW counted AS SELECT 1 AS one;
CREATE SEQUENCE numbers;
CREATE OR REPLACE FUNCTION forgetful() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE PROCEDURE "swept"(days integer DEFAULT 1) LANGUAGE sql AS 'SELECT 1';
ALTER TABLE rate_limits RENAME TO attempts;
"""


@pytest.mark.parametrize("transactional", [True, False])
def test_a_later_migration_that_forgets_to_revoke_gives_nobody_a_right(
    migrated: str, folder: Path, anon: str, transactional: bool
) -> None:
    run(
        migrated,
        *(
            f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO {{who}}"
            for kind in ("TABLES", "SEQUENCES", "FUNCTIONS", "TYPES")
        ),
        who=anon,
    )
    step = "" if transactional else "-- transactional: false\n"
    add(folder, "0901.later", step + LATER)
    assert migrate(migrated, folder) == ["0901.later"]
    assert reached(migrated, anon) == []


def test_every_name_that_a_migration_gives_is_known() -> None:
    with_names = {}
    for file in SHIPPED.glob("[0-9]*.sql"):
        for node in walk(pglast.parse_sql(file.read_text("utf-8"))):
            if isinstance(node, ast.CreateStmt | ast.CreateSeqStmt | ast.ViewStmt):
                with_names[(node.relation or node.view).relname] = file.name
            elif isinstance(node, ast.CreateFunctionStmt):
                with_names[node.funcname[-1].sval] = file.name
    assert len(with_names) >= 12
    known = shipped_names().strip("{}").split(",")
    assert {name: file for name, file in with_names.items() if name not in known} == {}


def test_every_object_of_the_schema_is_known(migrated: str) -> None:
    with closing(psycopg.connect(migrated)) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm') UNION ALL"
            " SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert {name for (name,) in found} <= set(shipped_names().strip("{}").split(","))


# --- a database that has such rights already ---

GRANTS = {
    "a table": ["GRANT SELECT ON sessions TO {who}"],
    "a column": ["GRANT SELECT (password_hash) ON users TO {who}"],
    "a column, to everybody": ["GRANT UPDATE (title) ON tasks TO PUBLIC"],
    "a sequence": ["GRANT USAGE ON SEQUENCE auth_events_id_seq TO {who}"],
    "a function": ["GRANT EXECUTE ON FUNCTION begin_request(uuid) TO {who}"],
    "yoyo's record": ["GRANT INSERT ON _yoyo_migration TO {who}"],
    "the record of migrations": ["GRANT ALL ON applied_migrations TO {who}"],
    "a function of todo_auth": [
        "SET ROLE todo_auth",
        "GRANT EXECUTE ON FUNCTION find_credentials(text) TO {who}",
    ],
    "a function of todo_auth, to everybody": [
        "SET ROLE todo_auth",
        "GRANT EXECUTE ON FUNCTION auth_event_room(inet) TO PUBLIC",
    ],
    "passed on by the first": [
        "GRANT SELECT ON tasks TO {between} WITH GRANT OPTION",
        "SET ROLE {between}",
        "GRANT SELECT ON tasks TO {who}",
    ],
    "passed on by the service's own role": [
        "GRANT SELECT ON rate_limits TO todo_app WITH GRANT OPTION",
        "SET ROLE todo_app",
        "GRANT SELECT ON rate_limits TO {who}",
    ],
}


@pytest.fixture
def granted(
    migrated: str, anon: str, role: Callable[..., str], dba: psycopg.Connection[Any]
) -> Callable[[str], None]:
    """Grants as a DBA did."""

    def grant(what: str) -> None:
        superuser = make_conninfo(migrated, user=dba.info.user)
        owner = str(conninfo_to_dict(migrated)["user"])
        between = role("NOLOGIN")
        dba.execute(f"GRANT {between} TO {owner}".encode())
        run(migrated, *GRANTS[what], who=anon, between=between)
        assert reached(superuser, anon)

    return grant


@pytest.mark.slow
@pytest.mark.parametrize("what", GRANTS)
def test_serving_is_refused_until_migrate_has_revoked_it(
    migrated: str, anon: str, granted: Callable[[str], None], what: str
) -> None:
    check_role(migrated)
    granted(what)
    with pytest.raises(
        RoleError, match="others have rights on the service's objects: `todo-api migrate`"
    ):
        check_role(migrated)
    assert migrate(migrated) == []
    assert reached(migrated, anon) == []
    check_role(migrated)


@pytest.mark.slow
@pytest.mark.parametrize("what", GRANTS)
def test_a_superuser_revokes_it_with_the_commands_of_the_refusal(
    migrated: str,
    anon: str,
    granted: Callable[[str], None],
    dba: psycopg.Connection[Any],
    what: str,
) -> None:
    granted(what)
    with pytest.raises(RoleError) as refused:
        check_role(migrated)
    commands = str(refused.value).partition("a superuser runs ")[2].split("; ")
    run(make_conninfo(migrated, user=dba.info.user), *commands)
    assert reached(migrated, anon) == []
    check_role(migrated)


def test_many_rights_are_told_in_one_short_line(migrated: str, role: Callable[..., str]) -> None:
    for _ in range(4):
        run(migrated, "GRANT ALL ON ALL TABLES IN SCHEMA public TO {who}", who=role("NOLOGIN"))
    with pytest.raises(RoleError) as refused:
        check_role(migrated)
    assert len(str(refused.value)) < 500
    assert str(refused.value).endswith(" more)")


@pytest.mark.slow
def test_what_the_migrating_login_may_not_revoke_is_told_and_refused(
    migrated: str, anon: str, dba: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    superuser = make_conninfo(migrated, user=dba.info.user)
    run(
        superuser,
        "ALTER TABLE rate_limits OWNER TO {dba}",
        "GRANT SELECT ON rate_limits TO {who}",
        dba=dba.info.user,
        who=anon,
    )
    run(migrated, "GRANT SELECT ON users TO {who}", who=anon)
    assert migrate(migrated) == []
    revoke = f"REVOKE ALL ON TABLE public.rate_limits FROM {anon} CASCADE"
    assert [one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == [
        f"this login may not run: {revoke}"
    ]
    with pytest.raises(RoleError, match="a superuser runs " + revoke):
        check_role(migrated)
    assert reached(migrated, anon) == ["rate_limits"]


@pytest.mark.slow
def test_rights_beyond_the_migrations_are_refused_for_the_services_role_too(
    deployment: Callable[..., str],
) -> None:
    migrate(deployment())
    url = deployment()
    run(url, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO todo_app")
    migrate(url)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("SET ROLE todo_app")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("TRUNCATE rate_limits")  # migrate has revoked it
    with pytest.raises(RoleError, match=r"todo_app has rights .*SELECT users\.password_hash"):
        check_role(url)


# --- what is not the service's ---


@pytest.mark.slow
def test_the_objects_of_other_programs_keep_their_rights(migrated: str, anon: str) -> None:
    run(
        migrated,
        "CREATE TABLE reports (id bigint GENERATED ALWAYS AS IDENTITY)",
        "CREATE FUNCTION report() RETURNS int LANGUAGE sql RETURN 1",
        "GRANT SELECT ON reports TO {who}",
        "GRANT SELECT ON users TO {who}",
        who=anon,
    )
    migrate(migrated)
    assert reached(migrated, anon) == ["report", "reports"]
    check_role(migrated)


@pytest.mark.slow
def test_rolling_back_leaves_nothing_to_others_either(migrated: str, anon: str) -> None:
    run(migrated, "GRANT SELECT ON _yoyo_log TO {who}", who=anon)
    rollback(migrated)
    assert reached(migrated, anon) == []


def test_the_names_are_those_of_the_files(folder: Path) -> None:
    add(folder, "0901.later", LATER)
    files = read_migrations(str(folder)).filter(lambda one: one.id != "schema")
    names = names_made(files).strip("{}").split(",")
    expected = {"notes", "scratch", "colour", "short", "titles", "counted", "numbers", "forgetful"}
    assert expected | {"swept", "attempts", "tasks", "_yoyo_log"} <= set(names)


@pytest.mark.slow
@pytest.mark.parametrize("right", ["DELETE", "TRUNCATE"])
@pytest.mark.parametrize("table", ["users", "auth_events", "applied_migrations"])
def test_todo_app_may_not_remove_what_no_request_removes(
    migrated: str, right: str, table: str
) -> None:
    check_role(migrated)
    run(migrated, f"GRANT {right} ON {table} TO todo_app")
    with pytest.raises(RoleError, match=rf"todo_app has rights .*DELETE {table}"):
        check_role(migrated)
