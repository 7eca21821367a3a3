"""Every statement has the plan that its header promises, on 100 000 tasks of 1 000 users.

What each figure consists of is in shape.py, and sql/PLANS.md has the same for a million tasks.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from todo_api.database.statements import compile_statement, load_statements

from .cases import FOLDER, Case, cases
from .fill import Filled, fill
from .growth import STATEMENTS as GROWING
from .measure import PLANS, Measured, measure
from .shape import BLOCKS, complaints, most_blocks

pytestmark = pytest.mark.slow

STATEMENTS = load_statements()
SOME, MANY = 10_000, 100_000


class Database(NamedTuple):
    connection: psycopg.Connection[Any]
    filled: Filled

    def measure(self, name: str, plan: str = "custom") -> Measured:
        """What the statement does in its typical case."""
        case, *_ = cases(self.filled, {name: STATEMENTS[name]})
        return measure(self.connection, case, plan)


def made(postgres: str, template: str, tasks: int, users: int) -> Iterator[Database]:
    name = f"plans_{tasks}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        with psycopg.connect(make_conninfo(postgres, dbname=name), autocommit=True) as connection:
            yield Database(connection, fill(connection, tasks=tasks, users=users))
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def many(postgres: str, template: str, admin: object) -> Iterator[Database]:
    """A database with 100 000 tasks."""
    yield from made(postgres, template, MANY, 1000)


@pytest.fixture(scope="module")
def some(postgres: str, template: str, admin: object) -> Iterator[Database]:
    """A database with 10 000 tasks."""
    yield from made(postgres, template, SOME, 100)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_statement_has_the_shape(name: str, plan: str, many: Database) -> None:
    for case in cases(many.filled, {name: STATEMENTS[name]}):
        measured = measure(many.connection, case, plan)
        assert complaints(measured) == [], f"{case.title}\n{measured.text}"


def test_the_database_is_as_in_life(many: Database) -> None:
    filled, connection = many.filled, many.connection
    assert (filled.tasks, filled.users) == (MANY, 1000)
    assert (filled.typical.rows["tasks"], filled.heavy.rows["tasks"]) == (100, 10_000)
    [(counted, wrong, pages)] = connection.execute(
        """
        SELECT
            (SELECT sum(tasks) FROM task_counts),
            (
                SELECT count(*) FROM task_counts
                WHERE tasks <> (SELECT count(*) FROM tasks WHERE tasks.user_id = task_counts.user_id)
            ),
            (SELECT count(DISTINCT split_part(ctid::text, ',', 1)) FROM tasks WHERE user_id = %s)
        """,
        (filled.typical.user_id,),
    ).fetchall()
    assert (counted, wrong) == (MANY, 0)
    assert pages > 90, "the tasks of a user are not scattered among the others'"


@pytest.mark.parametrize("name", GROWING)
def test_the_tasks_of_others_cost_a_user_nothing(name: str, some: Database, many: Database) -> None:
    before, after = some.measure(name), many.measure(name)
    assert (before.rows, before.case.user) == (after.rows, before.case.user)
    if name == "tasks/list":
        # in a small table some of the 100 stand on the same page
        assert after.blocks <= most_blocks(before)
    else:
        # ten times the rows are at most one level more, each time an index is entered
        entered = sum(
            max(1, touched.scans)
            for relation, touched in after.touched.items()
            if after.relations[relation].is_index
        )
        assert after.blocks <= before.blocks + 2 * entered


# --- the judge notices ---

LIST = "SELECT id, title FROM tasks WHERE user_id = %s "
NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"


@pytest.mark.parametrize(
    ("name", "body", "complaint"),
    [
        (
            "tasks/list",
            LIST + "OR lower(title) = 'buy oat milk' " + NEWEST_FIRST,
            "rows of tasks are read first and judged later",
        ),
        (
            "tasks/list",
            LIST + "AND lower(title) LIKE 'buy%%' " + NEWEST_FIRST,
            "rows of tasks are read first and judged later",
        ),
        ("tasks/list", LIST + "ORDER BY title", "Sort by tasks.title"),
        (
            "tasks/list",
            LIST + "ORDER BY created_at DESC, title",
            "Sort by tasks.created_at DESC, tasks.title",
        ),
        ("tasks/list", LIST, "tasks_pkey carries the statement"),
        (
            "tasks/list",
            "SELECT id FROM tasks WHERE user_id::text = %s::text " + NEWEST_FIRST,
            "rows of tasks are read first and judged later",
        ),
        ("tasks/list", "SELECT %s::uuid", "the header names tasks_newest_first, which is not used"),
        (
            "tasks/page",
            LIST + NEWEST_FIRST + " LIMIT %(page_size)s::integer OFFSET 50",
            "blocks instead of at most 30: tasks ",
        ),
        (
            "tasks/page",
            LIST
            + "AND (created_at < %(last_created_at)s::timestamptz OR ("
            + "created_at = %(last_created_at)s::timestamptz AND id < %(last_id)s::uuid)) "
            + NEWEST_FIRST
            + " LIMIT %(page_size)s::integer",
            "Sort by tasks.created_at DESC, tasks.id DESC",
        ),
        (
            "tasks/get",
            "SELECT id FROM tasks WHERE user_id = %s AND id::text = %(task_id)s::text",
            "rows of tasks are read first and judged later",
        ),
        (
            "tasks/get",
            "SELECT title FROM tasks WHERE user_id = %s " + NEWEST_FIRST + " LIMIT 1",
            "tasks_newest_first carries the statement",
        ),
        (
            "tasks/get",
            "SELECT count(title) FROM tasks WHERE user_id = %s AND id <> %(task_id)s::uuid",
            f"blocks instead of at most {BLOCKS}: tasks ",
        ),
        (
            "tasks/complete",
            "UPDATE tasks SET completed_at = now() WHERE user_id = %s",
            "blocks instead of at most 24: tasks ",
        ),
    ],
)
def test_a_wrong_statement_is_noticed(name: str, body: str, complaint: str, many: Database) -> None:
    statement = compile_statement(name, f"-- Wrong.\n{body}")
    right, *_ = cases(many.filled, {name: STATEMENTS[name]})
    values = {key: right.parameters[key] for key in statement.parameters if key != "%s"}
    found = complaints(measure(many.connection, Case(statement, right.user, values)))
    assert complaint in "\n".join(found)


FOR_EACH_ROW = """
    ALTER POLICY tasks_own ON tasks
    USING ((user_id = nullif(current_setting('app.user_id', true), '')::uuid) IS TRUE)
"""
CAST_COLUMN = """
    ALTER POLICY tasks_own ON tasks USING (user_id::text = (SELECT current_setting('app.user_id', true)))
"""
HIDING = """
    CREATE FUNCTION is_own(whose uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS
    $$ BEGIN RETURN whose = nullif(current_setting('app.user_id', true), '')::uuid; END $$
"""
COSTLY_PAGES = """
    DO $$ BEGIN EXECUTE replace(
        pg_get_functiondef('begin_request(uuid)'::regprocedure), '''random_page_cost'', ''1.1''',
        '''random_page_cost'', ''4'''
    ); END $$
"""


@pytest.mark.parametrize(
    ("name", "changes", "complaint"),
    [
        ("tasks/list", ["DROP INDEX tasks_newest_first"], "Sort by"),
        (
            "tasks/list",
            ["DROP INDEX tasks_newest_first"],
            "the header names tasks_newest_first, which does not exist",
        ),
        ("tasks/list", [COSTLY_PAGES], "tasks_pkey carries the statement"),
        (
            "tasks/get",
            ["ALTER TABLE tasks DROP CONSTRAINT tasks_pkey"],
            "the header names tasks_pkey, which does not exist",
        ),
        (
            "tasks/create",
            ["CREATE INDEX ON tasks (updated_at)"] * 12,
            "blocks instead of at most 32: ",
        ),
        (
            "sessions/create",
            ["DROP INDEX users_email_key", "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE"],
            "a sequential scan of users",
        ),
        (
            "before_sign_in/begin_session",
            ["ALTER TABLE sessions DROP CONSTRAINT sessions_pkey"],
            f"blocks instead of at most {BLOCKS}: sessions ",
        ),
        (
            "before_sign_in/find_account_from",
            ["DROP INDEX users_email_key"],
            "a sequential scan of users",
        ),
        (
            "auth_events/record",
            ["DROP INDEX auth_events_of_network"],
            "the header names auth_events_of_network, which does not exist",
        ),
        (
            "before_sign_in/hit_rate_limit",
            ["DROP INDEX rate_limits_expires_at"],
            "a sequential scan of rate_limits",
        ),
        (
            "tasks/complete",
            ["CREATE INDEX tasks_done ON tasks (user_id, completed_at)"],
            "the new version of a row of tasks is not beside the old one",
        ),
        (
            "tasks/list",
            [HIDING, "ALTER POLICY tasks_own ON tasks USING (is_own(user_id))"],
            "rows of tasks are read first and judged later: is_own(user_id)",
        ),
        (
            "tasks/get",
            [FOR_EACH_ROW],
            "row security is evaluated for each row",
        ),
        (
            "tasks/get",
            [CAST_COLUMN],
            "rows of tasks are read first and judged later",
        ),
    ],
)
def test_a_wrong_schema_is_noticed(
    name: str, changes: list[str], complaint: str, many: Database
) -> None:
    case, *_ = cases(many.filled, {name: STATEMENTS[name]})
    found = complaints(measure(many.connection, case, first=changes))
    assert complaint in "\n".join(found)


def test_a_parameter_without_a_typical_value_is_named(many: Database) -> None:
    new = compile_statement("tasks/paint", "-- New.\nSELECT %(colour)s::text WHERE user_id = %s")
    with pytest.raises(LookupError, match=r"^sql/tasks/paint\.sql has a parameter .*: colour$"):
        cases(many.filled, {new.name: new})


def test_the_page_has_every_statement(many: Database) -> None:
    page = (FOLDER / "PLANS.md").read_text(encoding="utf-8")
    missing = [case.title for case in cases(many.filled) if f"\n### {case.title}\n" not in page]
    assert missing == [], "renew it with: .venv/bin/python tests/tools/renew_plans.py"
