"""An upgrade of a cluster that holds rows, as sql/SCALING.md says: stop, migrate, distribute.sql, start."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlparse

from migrations.test_citus_rule import CASES, TAKEN, TAKEN_TOO
from migrations.trial import IDS, SHIPPED, add
from support.postgres.dba_scripts import distribute
from support.signed_up import HASH, create, create_once, event
from todo_api.database.calls import Call, SessionEnded, SignedIn
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task
from todo_api.tasks.turn import number_tasks
from todo_api.upkeep.migrate import migrate, rollback
from todo_api.upkeep.role_check import RoleError, check_role

pytestmark = pytest.mark.citus
LIST = Call("tasks/list", row=as_task)
# the tables of 0008 that are spread
HELD = ("users", "sessions", "tasks", "task_counts")
OWN = "(user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid)"
# What a later migration does to the tables of users, as migrations/README.md says how.
LATER = """
ALTER TABLE tasks ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE tasks ADD CONSTRAINT tasks_note_length CHECK (char_length(note) <= 1000) NOT VALID;
GRANT INSERT (note), UPDATE (note) ON tasks TO todo_app;
ALTER TABLE users ADD COLUMN locale text;
GRANT SELECT (locale) ON users TO todo_app;
CREATE TABLE codes (
    user_id    uuid        NOT NULL,
    code       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT codes_pkey PRIMARY KEY (user_id, code),
    CONSTRAINT codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
);
COMMENT ON TABLE codes IS 'A table of users.';
CREATE INDEX codes_newest_first ON codes (user_id, created_at);
GRANT SELECT, DELETE, INSERT (user_id, code) ON codes TO todo_app;
ALTER TABLE codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE codes FORCE ROW LEVEL SECURITY;
CREATE POLICY codes_own ON codes TO todo_app
USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
CREATE FUNCTION codes_of(owner uuid) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$ SELECT count(*) FROM public.codes WHERE user_id = owner $$;
REVOKE ALL ON FUNCTION codes_of(uuid) FROM PUBLIC;
"""
BACK = """
DROP FUNCTION codes_of(uuid);
DROP TABLE codes;
ALTER TABLE users DROP COLUMN locale;
ALTER TABLE tasks DROP COLUMN note;
"""


@pytest.fixture
def coordinator(distributed_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser, on a database that has nothing yet; afterwards as for the other tests."""
    rollback(distributed_url)
    with psycopg.connect(distributed_url, autocommit=True) as connection:
        try:
            yield connection
        finally:
            rollback(distributed_url)
            migrate(distributed_url)
            distribute(connection)


def shipped_until(folder: Path, last: str) -> Path:
    for migration in IDS[: IDS.index(last) + 1]:
        for file in SHIPPED.glob(f"{migration}.*"):
            shutil.copy(file, folder)
    return folder


def fill(coordinator: psycopg.Connection[Any]) -> list[SignedIn]:
    coordinator.execute(
        "INSERT INTO users (user_id, email, password_hash)"
        " SELECT gen_random_uuid(), n || '@example.com', %s FROM generate_series(1, 20) AS n",
        (HASH,),
    )
    for rows in (
        "tasks (user_id, title) SELECT user_id, 'task ' || n FROM users, generate_series(1, 9) AS n",
        "task_counts (user_id, tasks) SELECT user_id, 9 FROM users",
        "sessions (user_id, id, expires_at) SELECT user_id, gen_random_uuid(), 'infinity' FROM users",
    ):
        coordinator.execute(f"INSERT INTO {rows}".encode())
    found = coordinator.execute("SELECT user_id::text, id::text FROM sessions").fetchall()
    return [SignedIn(*row) for row in found]


def held(coordinator: psycopg.Connection[Any], columns: dict[str, str]) -> list[Any]:
    return [
        coordinator.execute(
            f"SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text))"
            f" FROM (SELECT {columns[table]} FROM {table}) AS t".encode()
        ).fetchone()
        for table in HELD
    ]


def columns(coordinator: psycopg.Connection[Any]) -> dict[str, str]:
    return {
        table: ", ".join(
            name
            for (name,) in coordinator.execute(
                "SELECT attname::text FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                (table,),
            )
        )
        for table in HELD
    }


def own_policies(coordinator: psycopg.Connection[Any], table: str) -> set[Any]:
    return set(
        coordinator.execute(
            "SELECT success, result FROM run_command_on_placements(%s, $$"
            "SELECT concat_ws(' ', relrowsecurity, relforcerowsecurity, pg_get_expr(polqual, polrelid))"
            " FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
            " WHERE pg_class.oid = '%%s'::regclass AND polname ~ '_own$'$$)",
            (table,),
        ).fetchall()
    )


@pytest.mark.parametrize("began_with", ["0008.end_sessions", "0009.idempotency_keys"])
def test_a_cluster_that_holds_rows_is_brought_up_to_date(
    distributed_url: str, coordinator: psycopg.Connection[Any], tmp_path: Path, began_with: str
) -> None:
    migrate(distributed_url, shipped_until(tmp_path, began_with))
    distribute(coordinator)
    users = fill(coordinator)
    named = columns(coordinator)
    before = held(coordinator, named)

    later = IDS[IDS.index(began_with) + 1 :]
    if later:
        with pytest.raises(RoleError, match="the schema lacks"):
            check_role(distributed_url)
    assert migrate(distributed_url) == later
    if later:
        with pytest.raises(RoleError, match=rf"not been run after {re.escape(IDS[-1])}: "):
            check_role(distributed_url)
    distribute(coordinator)
    check_role(distributed_url)

    assert held(coordinator, named) == before
    for table in (
        "users",
        "sessions",
        "tasks",
        "task_counts",
        "idempotency_keys",
        "api_tokens",
        "reset_codes",
        "sign_in_networks",
    ):
        assert own_policies(coordinator, table) == {(True, f"t t {OWN}")}
    with closing(Database(distributed_url, connections=1)) as database:
        for who in users[:5]:
            number_tasks(database, who.user_id)
            database.as_user(who, create("one more"))
            database.as_user(who, *create_once("k", "once"))
            assert database.as_user(who, *create_once("k", "once"))[-1][0][1] is True
            assert len(database.as_user(who, LIST)[0]) == 11
            database.as_user(who, Call("auth_events/record", event()))
        stranger = SignedIn(users[0].user_id, users[1].session_id)
        with pytest.raises(SessionEnded):
            database.as_user(stranger, LIST)


def test_a_migration_that_is_written_as_the_readme_says_comes_and_goes(
    distributed_url: str, coordinator: psycopg.Connection[Any], tmp_path: Path
) -> None:
    migrate(distributed_url)
    distribute(coordinator)
    [who, *_] = fill(coordinator)
    named = columns(coordinator)
    before = held(coordinator, named)
    later = add(shipped_until(tmp_path, IDS[-1]), "0900.later", LATER, BACK)

    assert migrate(distributed_url, tmp_path) == [later]
    with pytest.raises(RoleError, match=r"not been run after 0900\.later: "):
        check_role(distributed_url)
    distribute(coordinator)
    check_role(distributed_url)
    assert held(coordinator, named) == before
    assert own_policies(coordinator, "codes") == {(True, f"t t {OWN}")}
    kinds = coordinator.execute(
        "SELECT count(DISTINCT colocation_id), min(citus_table_type) FROM citus_tables"
        " WHERE table_name::text IN ('codes', 'tasks')"
    ).fetchone()
    assert kinds == (1, "distributed")
    with coordinator.transaction():
        coordinator.execute("SELECT begin_request(%s)", (who.user_id,))
        coordinator.execute("INSERT INTO codes (user_id, code) VALUES (%s, 'x')", (who.user_id,))
        assert coordinator.execute("SELECT code FROM codes").fetchall() == [("x",)]

    assert rollback(distributed_url, 1, tmp_path) == [later]
    with pytest.raises(RoleError, match=rf"not been run after {re.escape(IDS[-1])}: "):
        check_role(distributed_url)
    distribute(coordinator)
    check_role(distributed_url)
    assert held(coordinator, named) == before


# as distribute.sql does
SPREAD = "SELECT create_distributed_table('codes', 'user_id', colocate_with => 'tasks')"


def refusal(coordinator: psycopg.Connection[Any], statements: str) -> str:
    """The SQLSTATE that the cluster answers to a migration and distribute.sql; nothing of them stays."""
    with coordinator.transaction(force_rollback=True):
        coordinator.execute("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        later = [SPREAD] if "CREATE TABLE codes" in statements else []
        for statement in (*MADE_BEFORE, *sqlparse.split(statements), *later):
            try:
                coordinator.execute(statement.encode())
            except psycopg.Error as error:
                return error.sqlstate or ""
    return ""


REFUSED = ("0A000", "XX000", "42P16")
# What the cases of the rule speak of.
MADE_BEFORE = (
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE SEQUENCE s",
    "CREATE TABLE kinds (id uuid PRIMARY KEY)",
)


def test_the_rule_over_the_migrations_is_right(
    distributed_url: str, coordinator: psycopg.Connection[Any]
) -> None:
    migrate(distributed_url)
    distribute(coordinator)
    fill(coordinator)
    assert {one: refusal(coordinator, one) for one in TAKEN} == dict.fromkeys(TAKEN, "")
    answers = {one: refusal(coordinator, one) for one in CASES}
    # not supported, Citus' own errors, a table of the wrong kind; none is PostgreSQL's own complaint
    assert {
        one: sqlstate for one, sqlstate in answers.items() if sqlstate not in REFUSED
    } == dict.fromkeys(TAKEN_TOO, "")
