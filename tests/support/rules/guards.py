"""Does the schema guard itself? Asked of the catalogue: row security, policies, grants, functions, roles.

`faults` compares with what is written down here, so that whatever is added or taken away by a
migration, or by hand, is either written down here too or found.
"""

import re
from collections.abc import Iterator
from typing import Any

import psycopg

OWN = "(user_id = (NULLIF(current_setting('app.user_id', true), ''))::uuid)"
OWN_OR_NOBODYS = f"((user_id IS NULL) OR {OWN})"
OLD_KEY = "(created_at <= (now() - '24:00:00'::interval))"
OLD_RESULT = "(created_at <= (now() - '24:01:00'::interval))"
OLD_DELETION = "(deleted_at <= (now() - '30 days'::interval))"
# (table, policy): for whom, for what, USING, WITH CHECK
POLICIES = {
    ("users", "users_own"): ("todo_app", "ALL", OWN, OWN),
    ("users", "users_find_credentials"): ("todo_auth", "SELECT", "true", None),
    ("users", "users_add"): ("todo_auth", "INSERT", None, "true"),
    ("users", "users_change"): ("todo_auth", "UPDATE", "true", None),
    ("users", "users_delete"): ("todo_auth", "DELETE", "true", None),
    ("sessions", "sessions_find"): ("todo_auth", "SELECT", "true", None),
    ("sessions", "sessions_end"): ("todo_auth", "DELETE", "true", None),
    ("sessions", "sessions_own"): ("todo_app", "ALL", OWN, OWN),
    ("reset_codes", "reset_codes_own"): ("todo_app", "ALL", OWN, OWN),
    ("reset_codes", "reset_codes_of_operator"): ("todo_auth", "ALL", "true", "true"),
    ("task_counts", "task_counts_of_operator"): ("todo_auth", "SELECT", "true", None),
    ("api_tokens", "api_tokens_own"): ("todo_app", "ALL", OWN, OWN),
    ("api_tokens", "api_tokens_find"): ("todo_auth", "SELECT", "true", None),
    ("api_tokens", "api_tokens_end"): ("todo_auth", "DELETE", "true", None),
    ("tasks", "tasks_own"): ("todo_app", "ALL", OWN, OWN),
    ("task_counts", "task_counts_own"): ("todo_app", "ALL", OWN, OWN),
    ("task_counts", "task_counts_forget"): ("todo_auth", "ALL", OWN, OWN),
    ("task_counts", "task_counts_sweep"): ("todo_auth", "UPDATE", "true", None),
    ("deleted_tasks", "deleted_tasks_own"): ("todo_app", "ALL", OWN, OWN),
    ("deleted_tasks", "deleted_tasks_find_old"): ("todo_auth", "SELECT", OLD_DELETION, None),
    ("deleted_tasks", "deleted_tasks_sweep"): ("todo_auth", "DELETE", OLD_DELETION, None),
    ("idempotency_keys", "idempotency_keys_own"): ("todo_app", "ALL", OWN, OWN),
    ("idempotency_keys", "idempotency_keys_find_old"): ("todo_auth", "SELECT", OLD_KEY, None),
    ("idempotency_keys", "idempotency_keys_sweep"): ("todo_auth", "DELETE", OLD_KEY, None),
    ("batch_results", "batch_results_own"): ("todo_app", "ALL", OWN, OWN),
    ("batch_results", "batch_results_find_old"): ("todo_auth", "SELECT", OLD_RESULT, None),
    ("batch_results", "batch_results_sweep"): ("todo_auth", "DELETE", OLD_RESULT, None),
    ("sign_in_networks", "sign_in_networks_own"): ("todo_app", "ALL", OWN, OWN),
    ("sign_in_networks", "sign_in_networks_find"): ("todo_auth", "SELECT", "true", None),
    ("sign_in_networks", "sign_in_networks_sweep"): (
        "todo_auth",
        "DELETE",
        "(seen_on < (((now() AT TIME ZONE 'UTC'))::date - 90))",
        None,
    ),
    ("auth_events", "auth_events_own"): ("todo_app", "ALL", OWN, OWN_OR_NOBODYS),
    ("auth_events", "auth_events_operator"): (
        "todo_auth",
        "INSERT",
        None,
        "(reason = 'by the operator')",
    ),
    ("auth_events", "auth_events_forget"): ("todo_auth", "DELETE", OWN, None),
    ("auth_events", "auth_events_count"): ("todo_auth", "SELECT", "true", None),
    ("auth_events", "auth_events_sweep"): (
        "todo_auth",
        "DELETE",
        "(occurred_at <= (now() - '1 day'::interval))",
        None,
    ),
}
# What each role may do, and with which columns; "*" is the whole table or function.
GRANTS = {
    ("todo_app", "users", "SELECT"): "user_id email created_at password_version disabled_at",
    ("todo_app", "users", "INSERT"): "user_id email password_hash",
    ("todo_app", "users", "UPDATE"): "email password_hash password_version",
    ("todo_auth", "users", "SELECT"): (
        "user_id email password_hash created_at password_version disabled_at"
    ),
    ("todo_auth", "users", "INSERT"): "user_id email password_hash",
    ("todo_auth", "users", "UPDATE"): "password_hash password_version disabled_at",
    ("todo_auth", "users", "DELETE"): "*",
    ("todo_app", "sessions", "SELECT"): "*",
    ("todo_app", "sessions", "INSERT"): (
        "user_id id expires_at sign_in_id signed_in_at address user_agent"
    ),
    ("todo_app", "sessions", "UPDATE"): "expires_at",
    ("todo_app", "sessions", "DELETE"): "*",
    ("todo_auth", "sessions", "SELECT"): "user_id id expires_at sign_in_id",
    ("todo_auth", "sessions", "DELETE"): "*",
    ("todo_app", "api_tokens", "SELECT"): "*",
    ("todo_app", "api_tokens", "INSERT"): "user_id id name scope expires_at",
    ("todo_app", "api_tokens", "UPDATE"): "last_used_on",
    ("todo_app", "api_tokens", "DELETE"): "*",
    ("todo_auth", "api_tokens", "SELECT"): "user_id id expires_at",
    ("todo_auth", "api_tokens", "DELETE"): "*",
    ("todo_app", "tasks", "SELECT"): "*",
    ("todo_app", "tasks", "INSERT"): (
        "user_id id title notes due_date due_at priority tags revision"
    ),
    ("todo_app", "tasks", "UPDATE"): (
        "title notes due_date due_at priority tags completed_at updated_at revision"
    ),
    ("todo_app", "tasks", "DELETE"): "*",
    ("todo_app", "task_counts", "SELECT"): "*",
    ("todo_app", "task_counts", "INSERT"): "user_id tasks numbered",
    ("todo_app", "task_counts", "UPDATE"): (
        "tasks numbered text_bytes revision forgotten_revision deletions"
    ),
    (
        "todo_auth",
        "task_counts",
        "SELECT",
    ): "user_id tasks text_bytes revision forgotten_revision deletions",
    ("todo_auth", "task_counts", "UPDATE"): "numbered revision forgotten_revision deletions",
    ("todo_auth", "task_counts", "DELETE"): "*",
    ("todo_app", "deleted_tasks", "SELECT"): "*",
    ("todo_app", "deleted_tasks", "INSERT"): "user_id id revision",
    ("todo_app", "deleted_tasks", "UPDATE"): "revision deleted_at",
    ("todo_app", "deleted_tasks", "DELETE"): "*",
    ("todo_auth", "deleted_tasks", "SELECT"): "*",
    ("todo_auth", "deleted_tasks", "DELETE"): "*",
    ("todo_app", "idempotency_keys", "SELECT"): "*",
    ("todo_app", "idempotency_keys", "INSERT"): (
        "user_id key request_hash task_id created_at revision answer"
    ),
    ("todo_app", "idempotency_keys", "DELETE"): "*",
    ("todo_auth", "idempotency_keys", "SELECT"): "task_id created_at",
    ("todo_auth", "idempotency_keys", "DELETE"): "*",
    ("todo_app", "auth_events", "SELECT"): (
        "id occurred_at event reason user_id address user_agent request_id"
    ),
    ("todo_app", "batch_results", "SELECT"): "*",
    ("todo_app", "batch_results", "INSERT"): "user_id key place answer",
    ("todo_app", "batch_results", "DELETE"): "*",
    ("todo_auth", "batch_results", "SELECT"): "created_at",
    ("todo_auth", "batch_results", "DELETE"): "*",
    ("todo_app", "sign_in_networks", "SELECT"): "*",
    ("todo_app", "sign_in_networks", "INSERT"): "user_id network seen_on",
    ("todo_app", "sign_in_networks", "UPDATE"): "seen_on",
    ("todo_app", "sign_in_networks", "DELETE"): "*",
    ("todo_auth", "sign_in_networks", "SELECT"): "*",
    ("todo_auth", "sign_in_networks", "DELETE"): "*",
    ("todo_app", "auth_events", "INSERT"): "event reason user_id address user_agent request_id",
    ("todo_auth", "auth_events", "INSERT"): "event reason user_id address request_id",
    ("todo_auth", "auth_events", "SELECT"): "id network occurred_at user_id event",
    ("todo_auth", "auth_events", "DELETE"): "*",
    ("todo_app", "reset_codes", "SELECT"): "*",
    ("todo_app", "reset_codes", "DELETE"): "*",
    ("todo_auth", "reset_codes", "SELECT"): "*",
    ("todo_auth", "reset_codes", "INSERT"): "user_id code_hash expires_at",
    ("todo_auth", "reset_codes", "UPDATE"): "code_hash expires_at",
    ("todo_auth", "reset_codes", "DELETE"): "*",
    ("todo_auth", "invites", "SELECT"): "*",
    ("todo_auth", "invites", "INSERT"): "code_hash email expires_at",
    ("todo_auth", "invites", "DELETE"): "*",
    ("todo_app", "housekeeping", "SELECT"): "*",
    ("todo_app", "housekeeping", "INSERT"): "*",
    ("todo_app", "housekeeping", "UPDATE"): "swept_at",
    ("todo_app", "rate_limits", "SELECT"): "*",
    ("todo_app", "rate_limits", "INSERT"): "*",
    ("todo_app", "rate_limits", "UPDATE"): "*",
    ("todo_app", "rate_limits", "DELETE"): "*",
    ("todo_app", "applied_migrations", "SELECT"): "*",
    ("todo_app", "begin_request(uuid)", "EXECUTE"): "*",
    ("todo_app", "begin_session(uuid,uuid)", "EXECUTE"): "*",
    ("todo_app", "begin_token(uuid,uuid,text)", "EXECUTE"): "*",
    ("todo_app", "find_credentials(text)", "EXECUTE"): "*",
    ("todo_app", "find_account_from(text,cidr)", "EXECUTE"): "*",
    ("todo_app", "own_password()", "EXECUTE"): "*",
    ("todo_app", "take_turn_with_password(bigint)", "EXECUTE"): "*",
    ("todo_app", "delete_account()", "EXECUTE"): "*",
    ("todo_app", "sweep_sign_in_networks(integer)", "EXECUTE"): "*",
    ("todo_app", "auth_event_room(inet)", "EXECUTE"): "*",
    ("todo_app", "batch_room(integer[],integer,bigint)", "EXECUTE"): "*",
    ("todo_app", "sweep_sessions(integer)", "EXECUTE"): "*",
    ("todo_app", "sweep_api_tokens(integer)", "EXECUTE"): "*",
    ("todo_app", "sweep_idempotency_keys(integer)", "EXECUTE"): "*",
    ("todo_app", "sweep_batch_results(integer)", "EXECUTE"): "*",
    ("todo_app", "sweep_deleted_tasks(integer)", "EXECUTE"): "*",
    ("todo_app", "sweep_auth_events(integer,integer)", "EXECUTE"): "*",
    ("todo_app", "find_reset_code(bytea)", "EXECUTE"): "*",
    ("todo_app", "use_reset_code(bytea)", "EXECUTE"): "*",
    ("todo_app", "find_invite(bytea,text)", "EXECUTE"): "*",
    ("todo_app", "use_invite(bytea,text)", "EXECUTE"): "*",
    ("todo_app", "sweep_reset_codes(integer)", "EXECUTE"): "*",
    ("todo_app", "sweep_invites(integer)", "EXECUTE"): "*",
    ("todo_app", "public", "USAGE"): "*",
    ("todo_auth", "public", "USAGE"): "*",
    ("PUBLIC", "public", "USAGE"): "*",  # PostgreSQL's own default
}
DEFINERS = {
    "find_credentials(text)": "todo_auth",
    "find_account_from(text,cidr)": "todo_auth",
    "own_password()": "todo_auth",
    "delete_account()": "todo_auth",
    "sweep_sign_in_networks(integer)": "todo_auth",
    "auth_event_room(inet)": "todo_auth",
    "sweep_sessions(integer)": "todo_auth",
    "sweep_api_tokens(integer)": "todo_auth",
    "sweep_idempotency_keys(integer)": "todo_auth",
    "sweep_batch_results(integer)": "todo_auth",
    "sweep_deleted_tasks(integer)": "todo_auth",
    "sweep_auth_events(integer,integer)": "todo_auth",
    "find_reset_code(bytea)": "todo_auth",
    "find_invite(bytea,text)": "todo_auth",
    "use_invite(bytea,text)": "todo_auth",
    "sweep_reset_codes(integer)": "todo_auth",
    "sweep_invites(integer)": "todo_auth",
}
PINNED = ["search_path=pg_catalog, pg_temp"]
ROLES = ("todo_app", "todo_auth")


def faults(connection: psycopg.Connection[Any]) -> list[str]:
    """What the catalogue of a migrated database says that is not as written down here."""
    return [
        *_row_security(connection),
        *_policies(connection),
        *_grants(connection),
        *_functions(connection),
        *_roles(connection),
    ]


def _row_security(connection: psycopg.Connection[Any]) -> Iterator[str]:
    for table, enabled, forced in connection.execute(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity"
        " FROM pg_class AS c INNER JOIN pg_attribute AS u ON u.attrelid = c.oid AND u.attname = 'user_id'"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1"
    ):
        if not enabled:
            yield f"{table}: row security is not enabled"
        if not forced:
            yield f"{table}: row security is not forced"


def _policies(connection: psycopg.Connection[Any]) -> Iterator[str]:
    rows = connection.execute(
        "SELECT tablename::text, policyname::text, array_to_string(roles, ' '), cmd, qual, with_check"
        " FROM pg_policies WHERE schemaname = 'public'"
    )
    found = {
        (table, name): (roles, command, _plain(using), _plain(check))
        for table, name, roles, command, using, check in rows
    }
    for key in sorted(found.keys() | POLICIES.keys()):
        if found.get(key) != POLICIES.get(key):
            yield f"{key[0]}: the policy {key[1]} is {found.get(key)} instead of {POLICIES.get(key)}"


def _plain(expression: str | None) -> str | None:
    """An expression without PostgreSQL's own casts, and without the sub-select that Citus refuses."""
    if expression is None:
        return None
    return re.sub(r'\( SELECT (.+?) AS "nullif"\)', r"\1", expression.replace("::text", ""))


def _grants(connection: psycopg.Connection[Any]) -> Iterator[str]:
    found: dict[tuple[str, str, str], set[str]] = {}
    for grantee, thing, privilege, column, grantable in connection.execute(_GRANTED):
        found.setdefault((grantee, thing, privilege), set()).add(column)
        if grantable:
            yield f"{grantee} may pass on {privilege} on {thing}"
    for key in sorted(found.keys() | GRANTS.keys()):
        wanted = set(GRANTS.get(key, "").split())
        grantee, thing, privilege = key
        for column in sorted(found.get(key, set()) - wanted):
            yield f"{grantee} may {privilege} {thing} ({column})"
        for column in sorted(wanted - found.get(key, set())):
            yield f"{grantee} may not {privilege} {thing} ({column})"


# What others than the owner were granted; what belongs to an extension is the extension's business.
_GRANTED = """
WITH
things AS (
    SELECT relname::text AS thing, relacl AS acl, relowner AS owner, '*' AS col
    FROM pg_class AS c
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
    UNION ALL
    SELECT c.relname::text, a.attacl, c.relowner, a.attname::text
    FROM pg_class AS c INNER JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attacl IS NOT NULL
    UNION ALL
    SELECT oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)), proowner, '*'
    FROM pg_proc AS p
    WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    UNION ALL
    SELECT nspname::text, nspacl, nspowner, '*' FROM pg_namespace WHERE nspname = 'public'
)
SELECT
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END,
    thing,
    g.privilege_type,
    col,
    g.is_grantable
FROM things CROSS JOIN aclexplode(acl) AS g
WHERE g.grantee <> owner AND thing !~ '^_?yoyo'
"""


def _functions(connection: psycopg.Connection[Any]) -> Iterator[str]:
    rows = connection.execute(
        "SELECT oid::regprocedure::text, coalesce(proconfig, '{}'), pg_get_userbyid(proowner)::text"
        " FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY 1"
    ).fetchall()
    for name, settings, owner in rows:
        if settings != PINNED:
            yield f"{name}: acts for its owner with {settings}, not with {PINNED}"
        if DEFINERS.get(name) != owner:
            yield f"{name}: acts for {owner}"
    for name in DEFINERS.keys() - {name for name, *_ in rows}:
        yield f"{name}: does not act for its owner"


def _roles(connection: psycopg.Connection[Any]) -> Iterator[str]:
    for role in ROLES:
        rows = connection.execute(
            "SELECT rolname::text FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER') AND rolname <> $1",
            [role],
        )
        for (other,) in rows:
            yield f"{role} is a member of {other}"
        [(mighty,)] = connection.execute(
            "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"
            " FROM pg_roles WHERE rolname = $1",
            [role],
        )
        if mighty:
            yield f"{role} has an attribute that gets past the guards"
        rows = connection.execute(
            "SELECT relname::text FROM pg_class WHERE relowner = $1::regrole"
            " UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE proowner = $1::regrole",
            [role],
        )
        for (thing,) in rows:
            if DEFINERS.get(thing) != role:
                yield f"{role} owns {thing}"
