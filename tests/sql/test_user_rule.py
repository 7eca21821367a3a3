"""Every statement is held to `WHERE user_id = %s`, table by table, and the judge of that is no pushover."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import todo_api
from support.rules.user_rule import TABLES, breaches

pytestmark = pytest.mark.partitioned
FOLDER = Path(todo_api.__file__).parent.parent / "sql"
SOURCES = {
    file.relative_to(FOLDER).with_suffix("").as_posix(): file.read_text(encoding="utf-8")
    for file in sorted(FOLDER.glob("*/*.sql"))
}
OF_A_USER = [name for name in SOURCES if not name.startswith("before_sign_in/")]
RULE = re.compile(r"user_id = %s")


@pytest.mark.parametrize("name", SOURCES)
def test_every_statement_keeps_the_rule(name: str) -> None:
    assert breaches(name, SOURCES[name]) == []


@pytest.mark.parametrize("name", OF_A_USER)
def test_every_statement_of_a_user_says_so_where_a_reviewer_looks(name: str) -> None:
    assert re.search(r"^ *WHERE user_id = %s$", SOURCES[name], re.MULTILINE)


def test_the_exceptions_are_these_and_no_others() -> None:
    # A new one needs a reason that a reviewer accepts; its header has to give it.
    assert {name for name in SOURCES if name.startswith("before_sign_in/")} == {
        f"before_sign_in/{name}"
        for name in (
            "act_for_user",
            "add_user",
            "count_sessions",
            "count_tasks",
            "delete_user",
            "disable_user",
            "enable_user",
            "find_invite",
            "find_reset_code",
            "find_user",
            "forget_events",
            "last_sign_ins",
            "list_users",
            "make_invite",
            "make_reset_code",
            "record_by_operator",
            "sweep_invites",
            "sweep_reset_codes",
            "take_turn_of_user",
            "use_invite",
            "use_reset_code",
            "void_reset_code",
            "applied_migrations",
            "become_todo_auth",
            "begin_on_citus",
            "begin_request",
            "begin_session",
            "begin_token",
            "bound_check",
            "check_login",
            "check_database",
            "check_role",
            "claim_sweep",
            "clear_rate_limit",
            "clear_rate_limits",
            "commit_on_citus",
            "connect_rights",
            "count_guess",
            "create_user",
            "delete_account",
            "distributed_after",
            "end_api_tokens",
            "end_sessions",
            "end_with_client",
            "find_account_from",
            "forget_migration",
            "fullest_users",
            "has_applied_migrations",
            "has_citus",
            "hit_rate_limit",
            "inherited_settings",
            "last_sweep",
            "lift_revisions",
            "narrow_login",
            "one_shard_at_a_time",
            "own_password",
            "overdue_rate_limits",
            "overdue_rows",
            "pin_settings",
            "planted",
            "prepared_here",
            "read_guesses",
            "read_rate_limit",
            "record_event",
            "record_migration",
            "rights_of_others",
            "room_for_connections",
            "server_clock",
            "server_process",
            "sweep_api_tokens",
            "sweep_auth_events",
            "sweep_deleted_tasks",
            "sweep_idempotency_keys",
            "sweep_batch_results",
            "sweep_rate_limits",
            "settle_guess",
            "sweep_sessions",
            "table_sizes",
            "sweep_sign_in_networks",
            "take_back_guess",
            "take_rate_limit_turn",
            "take_turn_with_password",
            "set_isolation",
            "set_read_only",
            "set_read_write",
            "try_migration_lock",
            "unusable_indexes",
            "users_without_counter",
            "who_may_create",
        )
    }


def test_the_judge_knows_every_table(postgres: str, template: str) -> None:
    with psycopg.connect(make_conninfo(postgres, dbname=template)) as connection:
        found: dict[str, Any] = dict(
            connection.execute(
                "SELECT relname, EXISTS (SELECT FROM pg_attribute"
                " WHERE attrelid = pg_class.oid AND attname = 'user_id')"
                " FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition"
                " AND relname !~ '^_yoyo|^yoyo'"
            ).fetchall()
        )
    assert found == TABLES


# --- it can fail ---


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_A_USER)
@pytest.mark.parametrize(
    "instead",
    [
        "TRUE",
        "user_id = user_id",
        "user_id <> %s",
        "user_id IS NOT NULL",
        "user_id IN (%s)",
        "user_id = coalesce(%s, user_id)",
        "NOT (user_id = %s)",
        "(user_id = %s OR TRUE)",
        "(user_id = %s) IS NOT NULL",
        "CASE WHEN TRUE THEN user_id = %s ELSE TRUE END",
        "EXISTS (SELECT FROM users WHERE user_id = %s)",
        "'user_id = %s' IS NOT NULL",
        "TRUE /* user_id = %s */",
    ],
)
def test_a_rule_that_is_weakened_anywhere_is_noticed(name: str, instead: str) -> None:
    places = list(RULE.finditer(SOURCES[name]))
    assert places
    for place in places:
        weakened = SOURCES[name][: place.start()] + instead + SOURCES[name][place.end() :]
        assert breaches(name, weakened), weakened


WRONG = {
    "no rule": (
        "SELECT id FROM tasks WHERE id = %(id)s AND 'x' = %s::text",
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "inside an OR": (
        "SELECT id FROM tasks WHERE user_id = %s OR id = %(id)s",
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "inside a CASE": (
        "SELECT id FROM tasks WHERE CASE WHEN id = %(id)s THEN TRUE ELSE user_id = %s END",
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "with itself": (
        "DELETE FROM tasks WHERE user_id = user_id AND id = %(id)s AND %s IS NOT NULL",
        "DELETE of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "in a HAVING": (
        "SELECT user_id FROM tasks WHERE id = %(id)s GROUP BY user_id HAVING user_id = %s",
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "with another value": (
        "SELECT id FROM tasks WHERE user_id = %(id)s AND id = %s",
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "of another column": (
        "SELECT id FROM tasks WHERE id = %s AND id = %(id)s",
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "the user where it is no rule": (
        "SELECT id FROM tasks WHERE user_id = %s AND id = %(id)s AND title > %s",
        "%s: only ever in `WHERE user_id = %s`; name another value",
    ),
    "missing in a sub-select": (
        "SELECT title FROM tasks WHERE user_id = %s AND id = (SELECT id FROM sessions WHERE id = %(id)s)",
        "SELECT of sessions: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "only in an outer query": (
        (
            "SELECT user_id FROM users WHERE user_id = %s"
            " AND EXISTS (SELECT FROM tasks WHERE tasks.user_id = users.user_id AND id = %(id)s)"
        ),
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "of the outer query's table": (
        (
            "SELECT user_id FROM users WHERE user_id = %s"
            " AND EXISTS (SELECT FROM tasks WHERE users.user_id = %s AND id = %(id)s)"
        ),
        "SELECT of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "only in a sub-select": (
        "UPDATE tasks SET title = 'x' WHERE id = (SELECT id FROM tasks WHERE user_id = %s AND id = %(id)s)",
        "UPDATE of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "one of two joined tables": (
        "SELECT t.id FROM tasks AS t INNER JOIN sessions AS s ON s.id = %(id)s WHERE t.user_id = %s",
        "SELECT of sessions: its own WHERE needs `s.user_id = %s`, joined by AND",
    ),
    "in the ON of a join": (
        (
            "SELECT s.id FROM tasks AS t LEFT JOIN sessions AS s ON s.user_id = %s AND s.id = %(id)s"
            " WHERE t.user_id = %s"
        ),
        "SELECT of sessions: its own WHERE needs `s.user_id = %s`, joined by AND",
    ),
    "nobody's column in a join": (
        "SELECT t.id FROM tasks AS t CROSS JOIN rate_limits WHERE user_id = %s AND t.id = %(id)s",
        "SELECT of tasks: its own WHERE needs `t.user_id = %s`, joined by AND",
    ),
    "nobody's column beside a sub-select": (
        "SELECT id FROM tasks CROSS JOIN (SELECT 1 AS one) AS x WHERE user_id = %s AND id = %(id)s",
        "SELECT of tasks: its own WHERE needs `tasks.user_id = %s`, joined by AND",
    ),
    "in one arm of a union": (
        "SELECT id FROM tasks WHERE user_id = %s UNION SELECT id FROM sessions WHERE id = %(id)s",
        "SELECT of sessions: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "an update from everybody's rows": (
        (
            "UPDATE tasks AS mine SET title = other.title FROM tasks AS other"
            " WHERE mine.user_id = %s AND other.id = %(id)s"
        ),
        "UPDATE of tasks: its own WHERE needs `other.user_id = %s`, joined by AND",
    ),
    "a delete using everybody's rows": (
        "DELETE FROM tasks USING sessions WHERE tasks.user_id = %s AND sessions.id = %(id)s",
        "DELETE of sessions: its own WHERE needs `sessions.user_id = %s`, joined by AND",
    ),
    "a write in a WITH": (
        (
            "WITH gone AS (DELETE FROM tasks WHERE id = %(id)s RETURNING user_id)"
            " SELECT user_id FROM users WHERE user_id = %s"
        ),
        "DELETE of tasks: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "a WITH that hides a table": (
        "WITH tasks AS (SELECT id FROM sessions WHERE user_id = %s) SELECT id FROM tasks WHERE id = %(id)s",
        "WITH tasks: it hides the table of that name; choose another",
    ),
    "an answer out of a WITH": (
        "WITH mine AS (SELECT id FROM tasks WHERE user_id = %s) SELECT id FROM mine WHERE id = %(id)s",
        "SELECT of mine: its own WHERE needs `user_id = %s`, joined by AND",
    ),
    "a sampled table": (
        "SELECT id FROM tasks TABLESAMPLE system (1) WHERE user_id = %s AND id = %(id)s",
        "tasks: stands where its WHERE can't be judged; move it",
    ),
    "another schema": (
        "SELECT id FROM old.tasks WHERE user_id = %s AND id = %(id)s",
        "old.tasks: not a table of the schema, by its bare name",
    ),
    "a table that nobody listed": (
        "SELECT id FROM notes WHERE user_id = %s AND id = %(id)s",
        "notes: not a table of the schema, by its bare name",
    ),
    "a merge": (
        "MERGE INTO tasks USING users ON users.user_id = %s WHEN MATCHED THEN UPDATE SET title = %(id)s",
        "MergeStmt: only SELECT, INSERT, UPDATE and DELETE are judged here",
    ),
    "the end of the transaction": (
        "ROLLBACK /* %s %(id)s */",
        "TransactionStmt: only SELECT, INSERT, UPDATE and DELETE are judged here",
    ),
    "another kind of statement": (
        "COPY (SELECT id FROM tasks WHERE user_id = %s AND id = %(id)s) TO STDOUT",
        "CopyStmt: only SELECT, INSERT, UPDATE and DELETE are judged here",
    ),
    "an insert of values": (
        "INSERT INTO tasks (user_id, title) VALUES (%s, %(id)s)",
        (
            "INSERT INTO tasks: write INSERT … SELECT user_id, … FROM users WHERE user_id = %s, "
            "so that the owner must exist"
        ),
    ),
    "an insert without a look at the user": (
        "INSERT INTO tasks (user_id, title) SELECT %s, %(id)s",
        (
            "INSERT INTO tasks: write INSERT … SELECT user_id, … FROM users WHERE user_id = %s, "
            "so that the owner must exist"
        ),
    ),
    "an insert for another owner": (
        "INSERT INTO tasks (user_id, title) SELECT %(id)s::uuid, email FROM users WHERE user_id = %s",
        (
            "INSERT INTO tasks: its user_id has to come from a table or WITH that the SELECT's own WHERE "
            "holds to `user_id = %s`"
        ),
    ),
    "an insert for an owner out of a WITH": (
        (
            "WITH made AS (SELECT %(id)s::uuid AS user_id FROM users WHERE user_id = %s)"
            " INSERT INTO tasks (user_id, title) SELECT user_id, 'x' FROM made"
        ),
        (
            "INSERT INTO tasks: its user_id has to come from a table or WITH that the SELECT's own WHERE "
            "holds to `user_id = %s`"
        ),
    ),
    "an insert for nobody": (
        "INSERT INTO auth_events (event, request_id) SELECT 'login', %(id)s FROM users WHERE user_id = %s",
        "INSERT INTO auth_events: it has to fill user_id",
    ),
    "an insert without columns": (
        "INSERT INTO task_counts SELECT user_id, %(id)s FROM users WHERE user_id = %s",
        "INSERT INTO task_counts: name the columns that it fills",
    ),
    "a conflict with anybody's row": (
        (
            "INSERT INTO sessions AS s (user_id, id) SELECT user_id, %(id)s FROM users WHERE user_id = %s"
            " ON CONFLICT (id) DO UPDATE SET expires_at = now()"
        ),
        "INSERT INTO sessions: ON CONFLICT has to name user_id, or it could update another user's row",
    ),
    "a change of owner": (
        "UPDATE tasks SET user_id = %(id)s::uuid WHERE user_id = %s",
        "SET user_id: a row never changes its owner; take it out",
    ),
    "a change of owner at a conflict": (
        (
            "INSERT INTO task_counts (user_id, tasks) SELECT user_id, %(id)s FROM users WHERE user_id = %s"
            " ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id"
        ),
        "SET user_id: a row never changes its owner; take it out",
    ),
    "all columns": (
        "SELECT * FROM tasks WHERE user_id = %s AND id = %(id)s",
        "`*`: name the columns, so that a new one is not handed out by accident",
    ),
    "all columns returned": (
        "DELETE FROM tasks AS t WHERE user_id = %s AND id = %(id)s RETURNING t.*",
        "`*`: name the columns, so that a new one is not handed out by accident",
    ),
    "two statements": (
        "DELETE FROM tasks WHERE user_id = %s AND id = %(id)s; DELETE FROM sessions",
        "sql/tasks/wrong.sql: one statement, without a semicolon",
    ),
    "a parameter that the header lacks": (
        "SELECT id FROM tasks WHERE user_id = %s AND id = %(id)s AND title = %(title)s",
        "%(title)s: used, but not in the header; say there what it is",
    ),
    "a parameter of the header that is not used": (
        "SELECT id FROM tasks WHERE user_id = %s",
        "%(id)s: in the header, but not used; take it out of one or into the other",
    ),
    "no SQL": (
        "SELECT id FROM tasks WHERE WHERE user_id = %s AND id = %(id)s",
        'PostgreSQL does not understand it: syntax error at or near "WHERE"',
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_statement_is_refused_with_what_to_change(wrong: str) -> None:
    statement, message = WRONG[wrong]
    assert message in breaches(
        "tasks/wrong", f"-- Wrong.\n--\n-- Parameters: id   any\n{statement}"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM tasks WHERE user_id = %s AND (id = %(id)s OR title = 'x')",
        "UPDATE tasks SET updated_at = moment FROM now() AS moment WHERE user_id = %s AND id = %(id)s",
        (
            "SELECT t.id FROM tasks AS t INNER JOIN sessions AS s ON t.id = s.id"
            " WHERE t.user_id = %s AND (s.user_id = %s AND s.id = %(id)s)"
        ),
        (
            "SELECT id FROM tasks WHERE user_id = %s"
            " AND EXISTS (SELECT FROM sessions AS s WHERE s.user_id = %s AND s.id = %(id)s)"
        ),
        (
            "WITH mine AS (SELECT user_id FROM users WHERE user_id = %s)"
            " INSERT INTO tasks (title, user_id) SELECT %(id)s, m.user_id FROM mine AS m WHERE m.user_id = %s"
        ),
        (
            "INSERT INTO task_counts (user_id, tasks) SELECT user_id, %(id)s FROM users WHERE user_id = %s"
            " ON CONFLICT (user_id) DO UPDATE SET tasks = 1"
        ),
    ],
)
def test_a_right_statement_passes(statement: str) -> None:
    assert breaches("tasks/right", f"-- Right.\n--\n-- Parameters: id   any\n{statement}") == []
