"""Runs the statements of sql/ as the service does, and says what PostgreSQL did: its plan, its reads."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from .cases import Case

_numbers = itertools.count(1)
PLANS = {"custom": "force_custom_plan", "generic": "force_generic_plan"}
# What migrate.py runs as the owner of the schema; everything else works as todo_app.
_AS_OWNER = {
    f"before_sign_in/{name}"
    for name in (
        "end_with_client",
        "forget_migration",
        "one_shard_at_a_time",
        "record_migration",
        "try_migration_lock",
    )
}
# What runs as a user who is not signed in, and names none
_AS_USER = {"before_sign_in/use_reset_code"}
# What an operator's commands and `todo-api check` run, as the role that sees the accounts of all
_AS_OPERATOR = {
    f"before_sign_in/{name}"
    for name in (
        "act_for_user",
        "add_user",
        "count_sessions",
        "count_tasks",
        "delete_user",
        "disable_user",
        "enable_user",
        "end_api_tokens",
        "find_user",
        "forget_events",
        "fullest_users",
        "last_sign_ins",
        "lift_revisions",
        "list_users",
        "make_invite",
        "make_reset_code",
        "overdue_rows",
        "record_by_operator",
        "take_turn_of_user",
        "users_without_counter",
        "void_reset_code",
    )
}


class Relation(NamedTuple):
    """A table or an index of the service, as it is before the case."""

    table: str  # itself, or the one that an index belongs to
    is_index: bool
    pages: int
    by_user: bool  # a table with a user_id; an index that leads with it


class Touched(NamedTuple):
    """What one transaction did with a table or an index, whoever asked: functions and foreign keys too."""

    blocks: int  # of shared buffers, found there or not
    scans: int  # of an index; of a table, sequential ones
    entries: int  # that these scans found, before any filter
    updated: int
    updated_in_place: int  # HOT: no index had to be told


@dataclass(frozen=True)
class Measured:
    """What PostgreSQL did for a case."""

    case: Case
    plan: dict[str, Any]
    text: str
    touched: dict[str, Touched]
    relations: dict[str, Relation]

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return list(_nodes(self.plan["Plan"]))

    @property
    def blocks(self) -> int:
        """All blocks of the service's tables and indexes, those that foreign keys read included.

        EXPLAIN's own figure leaves out foreign keys, and a WITH that nothing refers to.
        """
        return sum(touched.blocks for touched in self.touched.values())

    @property
    def rows(self) -> int:
        """How many rows came back or, where nothing does, were written."""
        top = self.plan["Plan"]
        found = top["Actual Rows"] or top.get("Plans", [{"Actual Rows": 0}])[-1]["Actual Rows"]
        return int(found)

    @property
    def ms(self) -> float:
        """Planning is left out: the service prepares."""
        return float(self.plan["Execution Time"])


def measure(
    connection: psycopg.Connection[Any],
    case: Case,
    plan: str = "custom",
    *,
    first: Sequence[str] = (),
) -> Measured:
    """Run a case until all is in memory and planned, and look at what it did; nothing of it stays.

    The service prepares at first use, so PostgreSQL plans with the values at first ("custom") and
    may go over to a plan for any values ("generic"). `first` is done to the database before.
    `connection` belongs to a superuser, in autocommit.
    """
    if not first:
        # In a transaction of its own, after which a table that had to grow knows its new pages
        with connection.transaction(force_rollback=True):
            _explain(connection, case, plan, "TEXT")
    with connection.transaction(force_rollback=True):
        for change in first:
            connection.execute(change.encode())
        relations = _relations(connection)
        with connection.transaction(force_rollback=True):
            _explain(connection, case, plan, "TEXT")
        runs = []
        for _ in range(3):
            with connection.transaction(force_rollback=True):
                before = _touched(connection)
                [(found,)] = _explain(connection, case, plan, "JSON")
                connection.execute("RESET role")
                after = _touched(connection)
            touched = {
                name: Touched(
                    *(now - then for now, then in zip(after[name], before[name], strict=True))
                )
                for name in after
                if after[name] != before[name]
            }
            runs.append((touched, found[0]))
        with connection.transaction(force_rollback=True):
            text = "\n".join(line for (line,) in _explain(connection, case, plan, "TEXT"))
    # A row that does not fit the last page any more is one run's bad luck, a busy machine another's.
    touched, found = min(
        runs, key=lambda run: (sum(one.blocks for one in run[0].values()), run[1]["Execution Time"])
    )
    return Measured(case, found, text, touched, relations)


def _explain(
    connection: psycopg.Connection[Any], case: Case, plan: str, form: str
) -> list[tuple[Any, ...]]:
    statement = case.statement
    # TIMING OFF: a clock that is read for each row costs more than the row
    connection.execute(f"SET LOCAL plan_cache_mode = {PLANS[plan]}".encode())
    if statement.name in _AS_OPERATOR:
        connection.execute("SET LOCAL ROLE todo_auth")
        connection.execute(
            "SELECT set_config('app.user_id', %s, true)", (str(case.parameters.get("user_id", "")),)
        )
    elif statement.name not in _AS_OWNER:
        nobody = (
            not case.is_of_user
            and "user_id" not in statement.parameters
            and statement.name not in _AS_USER
        )
        user_id = None if nobody else case.parameters.get("user_id", case.user.user_id)
        connection.execute("SELECT begin_request(%s::uuid)", (user_id,))
    name = f"measured_{next(_numbers)}"  # outlives a rollback, and therefore a failure
    connection.execute(f"PREPARE {name} AS {statement.text}".encode())
    values = statement.bind(case.user.user_id, case.parameters)
    arguments = sql.SQL(", ").join(sql.Literal(_as_text(value)) for value in values)
    execute = sql.SQL(f"{name}({{}})" if values else name).format(arguments)
    rows = connection.execute(
        sql.SQL("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT {}) EXECUTE {}").format(
            sql.SQL(form), execute
        )
    ).fetchall()
    connection.execute(f"DEALLOCATE {name}".encode())
    return rows


def _as_text(value: Any) -> str | None:
    """A literal without a type, as the service's parameters are."""
    return None if value is None else str(value)


def _relations(connection: psycopg.Connection[Any]) -> dict[str, Relation]:
    return {
        name: Relation(table, is_index, pages, by_user)
        for name, table, is_index, pages, by_user in connection.execute(
            """
            SELECT
                one.relname,
                coalesce(indrelid::regclass, one.oid::regclass)::text,
                indrelid IS NOT NULL,
                pg_relation_size(one.oid) / current_setting('block_size')::integer,
                EXISTS (
                    SELECT FROM pg_attribute
                    WHERE attrelid = one.oid AND attname = 'user_id' AND (attnum = 1 OR indrelid IS NULL)
                )
            FROM pg_class AS one
            LEFT JOIN pg_index ON indexrelid = one.oid
            WHERE one.relnamespace = 'public'::regnamespace AND one.relkind IN ('r', 'i')
                AND one.relname !~ '^_*yoyo'
            """
        )
    }


def _touched(connection: psycopg.Connection[Any]) -> dict[str, Touched]:
    return {
        name: Touched(*counters)
        for name, *counters in connection.execute(
            """
            SELECT
                relname,
                pg_stat_get_xact_blocks_fetched(oid),
                pg_stat_get_xact_numscans(oid),
                pg_stat_get_xact_tuples_returned(oid),
                pg_stat_get_xact_tuples_updated(oid),
                pg_stat_get_xact_tuples_hot_updated(oid)
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
                AND relname !~ '^_*yoyo'
            """
        )
    }


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
