"""Nobody meets another user's data, and the schema's guards are as written down; each broken on purpose."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from support.rules import guards, isolation

pytestmark = pytest.mark.partitioned
TABLES = (
    "users",
    "sessions",
    "api_tokens",
    "tasks",
    "task_counts",
    "deleted_tasks",
    "idempotency_keys",
    "batch_results",
    "sign_in_networks",
    "auth_events",
    "reset_codes",
)
OWN = "user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)"


@pytest.fixture(scope="module")
def url(postgres: str, template: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    admin.execute(f"CREATE DATABASE isolation TEMPLATE {template}")
    yield make_conninfo(postgres, dbname="isolation")
    admin.execute("DROP DATABASE isolation WITH (FORCE)")


@pytest.fixture
def superuser(url: str) -> Iterator[psycopg.Connection[Any]]:
    """In a transaction of which nothing stays, changed roles included."""
    with psycopg.connect(url, cursor_factory=psycopg.RawCursor) as connection:
        yield connection
        connection.rollback()


@pytest.mark.slow
def test_no_statement_meets_another_users_rows_even_without_its_where(
    superuser: psycopg.Connection[Any],
) -> None:
    assert list(isolation.breaches(superuser)) == []


def test_the_guards_are_as_written_down(superuser: psycopg.Connection[Any]) -> None:
    assert guards.faults(superuser) == []


def test_row_security_can_not_be_switched_off(superuser: psycopg.Connection[Any]) -> None:
    superuser.execute("SELECT begin_request(gen_random_uuid())")
    superuser.execute("SET LOCAL row_security = off")
    with pytest.raises(errors.InsufficientPrivilege, match="affected by row-level security"):
        superuser.execute("SELECT id FROM tasks")


# --- the proofs can fail: a change, and what is found ---

SEEN_OR_CHANGED = {
    "the role may bypass row security": (
        "ALTER ROLE todo_app BYPASSRLS",
        "tasks/list without WHERE",
    ),
    "the role is a superuser": ("ALTER ROLE todo_app SUPERUSER", "TRUNCATE tasks"),
    "users are seen": ("ALTER POLICY users_own ON users USING (true)", "FROM users"),
    "sessions are seen": ("ALTER POLICY sessions_own ON sessions USING (true)", "sessions/end"),
    "API tokens are seen": (
        "ALTER POLICY api_tokens_own ON api_tokens USING (true)",
        "api_tokens/list without WHERE",
    ),
    "API tokens are ended": (
        "ALTER POLICY api_tokens_own ON api_tokens USING (true)",
        "api_tokens/delete_expired without WHERE",
    ),
    "API tokens can be planted": (
        "ALTER POLICY api_tokens_own ON api_tokens WITH CHECK (true)",
        "INSERT INTO api_tokens",
    ),
    "a scope can be widened": (
        (
            "GRANT UPDATE ON api_tokens TO todo_app;"
            " ALTER POLICY api_tokens_own ON api_tokens USING (true) WITH CHECK (true)"
        ),
        "UPDATE api_tokens SET scope",
    ),
    "tasks are seen": ("ALTER POLICY tasks_own ON tasks USING (true)", "tasks/list"),
    "counts are seen": ("ALTER POLICY task_counts_own ON task_counts USING (true)", "task_counts"),
    "keys are seen": (
        "ALTER POLICY idempotency_keys_own ON idempotency_keys USING (true)",
        "idempotency_keys/delete_expired without WHERE",
    ),
    "keys are replayed": (
        "ALTER POLICY idempotency_keys_own ON idempotency_keys USING (true)",
        "tasks/create_once without WHERE",
    ),
    "keys can be planted": (
        "ALTER POLICY idempotency_keys_own ON idempotency_keys WITH CHECK (true)",
        "INSERT INTO idempotency_keys",
    ),
    "answers of batches are seen": (
        "ALTER POLICY batch_results_own ON batch_results USING (true)",
        "SELECT user_id, answer FROM batch_results",
    ),
    "answers of batches can be planted": (
        "ALTER POLICY batch_results_own ON batch_results WITH CHECK (true)",
        "INSERT INTO batch_results",
    ),
    "tasks can be planted": (
        "ALTER POLICY tasks_own ON tasks WITH CHECK (true)",
        "INSERT INTO tasks",
    ),
    "codes are seen": (
        "ALTER POLICY reset_codes_own ON reset_codes USING (true)",
        "FROM reset_codes",
    ),
    "sessions can be planted": (
        "ALTER POLICY sessions_own ON sessions WITH CHECK (true)",
        "INSERT INTO sessions",
    ),
    "events can be planted": (
        "ALTER POLICY auth_events_own ON auth_events WITH CHECK (true)",
        "INSERT INTO auth_events",
    ),
    "a policy beside": ("CREATE POLICY beside ON tasks USING (true)", "SELECT user_id, id, title"),
    "no row security": ("ALTER TABLE tasks DISABLE ROW LEVEL SECURITY", "DELETE FROM tasks"),
    "not forced, and the role owns": (
        "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY; ALTER TABLE tasks OWNER TO todo_app",
        "DELETE FROM tasks",
    ),
    "truncate granted": ("GRANT TRUNCATE ON tasks TO todo_app", "TRUNCATE tasks"),
    "a function that finds everybody": (
        (
            "CREATE OR REPLACE FUNCTION find_credentials(wanted_email text)"
            " RETURNS TABLE (user_id uuid, password_hash text) LANGUAGE sql STABLE SECURITY DEFINER"
            " SET search_path = pg_catalog, pg_temp"
            " AS $$ SELECT u.user_id, u.password_hash FROM public.users AS u $$"
        ),
        "find_credentials",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", SEEN_OR_CHANGED)
def test_the_proof_on_the_rows_notices(superuser: psycopg.Connection[Any], change: str) -> None:
    sql, by_what = SEEN_OR_CHANGED[change]
    _change(superuser, sql)
    assert any(isolation.breaches(superuser, of=by_what))


WRITTEN_DOWN = {
    "ALTER ROLE todo_app BYPASSRLS": "todo_app has an attribute that gets past the guards",
    "ALTER ROLE todo_auth SUPERUSER": "todo_auth has an attribute that gets past the guards",
    "GRANT pg_read_all_data TO todo_app": "todo_app is a member of pg_read_all_data",
    "GRANT todo_auth TO todo_app": "todo_app is a member of todo_auth",
    **{
        f"ALTER TABLE {table} {change} ROW LEVEL SECURITY": f"{table}: row security is not {state}"
        for table in TABLES
        for change, state in (("DISABLE", "enabled"), ("NO FORCE", "forced"))
    },
    **{
        f"ALTER POLICY {table}_own ON {table} {clause} (true)": f"{table}: the policy {table}_own is"
        for table in TABLES
        for clause in ("USING", "WITH CHECK")
    },
    **{
        (
            f"DROP POLICY {table}_own ON {table};"
            f" CREATE POLICY {table}_own ON {table} TO todo_app USING ({OWN})"
        ): f"{table}: the policy {table}_own is"
        for table in TABLES
    },
    f"ALTER POLICY tasks_own ON tasks TO PUBLIC USING ({OWN})": "tasks: the policy tasks_own is",
    "CREATE POLICY beside ON tasks USING (true)": "tasks: the policy beside is",
    "GRANT SELECT ON users TO todo_app": "todo_app may SELECT users (*)",
    "GRANT SELECT (password_hash) ON users TO todo_app": "todo_app may SELECT users (password_hash)",
    "GRANT UPDATE (user_id) ON tasks TO todo_app": "todo_app may UPDATE tasks (user_id)",
    "GRANT UPDATE (scope) ON api_tokens TO todo_app": "todo_app may UPDATE api_tokens (scope)",
    "GRANT UPDATE (expires_at) ON api_tokens TO todo_app": (
        "todo_app may UPDATE api_tokens (expires_at)"
    ),
    "GRANT INSERT (last_used_on) ON api_tokens TO todo_app": (
        "todo_app may INSERT api_tokens (last_used_on)"
    ),
    "GRANT EXECUTE ON FUNCTION begin_token(uuid, uuid, text) TO PUBLIC": (
        "PUBLIC may EXECUTE begin_token(uuid,uuid,text) (*)"
    ),
    "GRANT UPDATE (task_id) ON idempotency_keys TO todo_app": (
        "todo_app may UPDATE idempotency_keys (task_id)"
    ),
    "GRANT TRUNCATE ON tasks TO todo_app": "todo_app may TRUNCATE tasks (*)",
    "GRANT SELECT ON auth_events TO PUBLIC": "PUBLIC may SELECT auth_events (*)",
    "GRANT DELETE ON tasks TO todo_app WITH GRANT OPTION": "todo_app may pass on DELETE on tasks",
    "GRANT CREATE ON SCHEMA public TO todo_app": "todo_app may CREATE public (*)",
    "REVOKE DELETE ON tasks FROM todo_app": "todo_app may not DELETE tasks (*)",
    "CREATE VIEW everything AS SELECT title FROM tasks; GRANT SELECT ON everything TO todo_app": (
        "todo_app may SELECT everything (*)"
    ),
    "CREATE TABLE notes (user_id uuid)": "notes: row security is not enabled",
    "ALTER TABLE rate_limits OWNER TO todo_app": "todo_app owns rate_limits",
    "ALTER FUNCTION find_credentials(text) RESET search_path": (
        "find_credentials(text): acts for its owner with"
    ),
    "ALTER FUNCTION auth_event_room(inet) SET search_path = public, pg_temp": (
        "auth_event_room(inet): acts for its owner with"
    ),
    "ALTER FUNCTION find_credentials(text) OWNER TO todo": "find_credentials(text): acts for todo",
    "ALTER FUNCTION find_credentials(text) SECURITY INVOKER": (
        "find_credentials(text): does not act for its owner"
    ),
    "GRANT EXECUTE ON FUNCTION find_credentials(text) TO PUBLIC": (
        "PUBLIC may EXECUTE find_credentials(text) (*)"
    ),
    "CREATE FUNCTION extra() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'": (
        "PUBLIC may EXECUTE extra()"
    ),
}


@pytest.mark.parametrize("change", WRITTEN_DOWN)
def test_the_proof_on_the_catalogue_notices(
    superuser: psycopg.Connection[Any], change: str
) -> None:
    _change(superuser, change)
    assert any(WRITTEN_DOWN[change] in fault for fault in guards.faults(superuser))


def _change(superuser: psycopg.Connection[Any], sql: str) -> None:
    for statement in sql.split(";"):
        superuser.execute(statement.encode())
