"""Whatever a database, a login or the start of a connection sets, the service works as ever."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.conninfo import make_conninfo

from support.accounts import Account
from support.at_once import at_once
from support.postgres.pgbouncer import PgBouncer
from support.postgres.proxy import proxied
from support.signed_up import create, create_once, sign_up
from todo_api.attempts.storage import Counter, PostgresStorage
from todo_api.database.calls import Call, SessionEnded, SignedIn
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task
from todo_api.upkeep.end_sessions import end_sessions
from todo_api.upkeep.migrate import migrate, rollback

pytestmark = pytest.mark.pooled
LIST = Call("tasks/list", row=as_task)
ISOLATIONS = ["repeatable read", "serializable"]
# Settings with a value that a DBA may have chosen, or that older clients of the database need.
SETTINGS = {
    "default_transaction_isolation": "'serializable'",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "check_function_bodies": "off",
    "plan_cache_mode": "force_generic_plan",
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Asia/Kathmandu'",
    "extra_float_digits": "-15",
    "bytea_output": "'escape'",
    "xmloption": "'document'",
    "client_encoding": "'LATIN1'",
    "lc_messages": "'C'",
    "statement_timeout": "'400ms'",
    "lock_timeout": "'200ms'",
    "idle_session_timeout": "'400ms'",
    "idle_in_transaction_session_timeout": "'400ms'",
    "synchronous_commit": "off",
    "exit_on_error": "on",
    "default_toast_compression": "'pglz'",
    "plpgsql.extra_errors": "'all'",
    "plpgsql.variable_conflict": "'use_column'",
    "search_path": "''",
    "search_path ": "app, public",
    "search_path  ": '"$user", public',
    "search_path   ": "public, pg_catalog",
    "search_path    ": "pg_temp, app",
}
# Those that are migrated with: alone where one could hide what another does, else together.
_ALONE = {name for name in SETTINGS if name.startswith(("default_transaction_", "search_path"))}
_REST = [name for name in SETTINGS if name not in _ALONE]
SET_TOGETHER = [
    *((name,) for name in SETTINGS if name in _ALONE),
    *map(tuple, (_REST[::2], _REST[1::2])),
]


@pytest.fixture
def inherited(empty_database_url: str) -> Iterator[Callable[..., str]]:
    """Sets something for an empty database, in which there are schemas that a search_path may name."""
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA app")
        owner.execute("CREATE SCHEMA todo")  # named like the login

        def with_setting(name: str, value: str) -> str:
            set_for_all(owner, name, value)
            return empty_database_url

        yield with_setting


def set_for_all(owner: psycopg.Connection[Any], name: str, value: str) -> None:
    database = owner.info.dbname
    owner.execute(f"ALTER DATABASE {database} SET {name.strip()} = {value}".encode())


def through(pooler: PgBouncer | None, url: str) -> str:
    return pooler.url(url) if pooler else url


def all_of_it(app: Flask) -> None:
    """What users do."""
    email = f"{uuid.uuid4().hex}@example.com"
    ann = Account(app.test_client(), email, "correct horse battery")
    key = {"Idempotency-Key": "k"}
    for replayed in (None, "true"):
        answer = ann.post(ann.tasks, json={"title": "日本 \\ ' 1"}, headers=key)
        assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, replayed)
    task = answer.json["data"]
    assert task["title"] == "日本 \\ ' 1"
    assert task["created_at"].endswith("Z")
    assert ann.patch(f"{ann.path_of(task)}/complete").json["data"]["is_completed"]
    assert ann.put(ann.path_of(task), json={"title": "two"}).status_code == 200
    assert ann.add("three")["title"] == "three"
    listed = ann.get(ann.tasks)
    assert [one["title"] for one in listed.json["data"]] == ["three", "two"]
    again = ann.get(ann.tasks, headers={"If-None-Match": listed.headers["ETag"]})
    assert again.status_code == 304
    assert ann.get(f"{ann.tasks}?limit=1").json["meta"]["count"] == 1
    assert ann.delete(ann.path_of(task)).status_code == 204
    wrong = {"email": email, "password": "wrong horse battery"}
    assert ann.client.post("/api/auth/login", json=wrong).status_code == 401
    assert ann.post("/api/auth/logout").status_code == 204
    assert ann.get(ann.tasks).status_code == 401
    right = {"email": email, "password": "correct horse battery"}
    assert ann.client.post("/api/auth/login", json=right).status_code == 200
    assert ann.client.get("/health/ready").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_database_with_a_setting_of_its_own_is_served(
    cloned_database_url: str,
    make_app: Callable[..., Flask],
    pooler: PgBouncer | None,
    name: str,
) -> None:
    with psycopg.connect(cloned_database_url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA app")
        owner.execute("CREATE SCHEMA todo")
        set_for_all(owner, name, SETTINGS[name])
    app = make_app(database_url=through(pooler, cloned_database_url))
    for _ in range(2):
        all_of_it(app)
    assert end_sessions(cloned_database_url) == (2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("names", SET_TOGETHER, ids=" ".join)
def test_a_database_with_settings_of_its_own_is_migrated_served_and_kept(
    inherited: Callable[..., str],
    make_app: Callable[..., Flask],
    pooler: PgBouncer | None,
    names: tuple[str, ...],
) -> None:
    for name in names:
        url = inherited(name, SETTINGS[name])
    assert migrate(url)
    all_of_it(make_app(database_url=through(pooler, url)))
    assert end_sessions(url) == (1, 1)
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT DISTINCT nspname::text FROM pg_class AS c"
            " INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid"
            " WHERE relname IN ('users', 'tasks', '_yoyo_migration', 'applied_migrations')"
        ).fetchall()
        [(bcrypt,)] = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conname = 'users_password_hash_is_bcrypt'"
        ).fetchall()
    assert tables == [("public",)]
    assert r"^\$2b\$" in bcrypt.replace("\\\\", "\\")
    assert rollback(url)


def test_each_setting_is_migrated_with() -> None:
    assert sorted(name for names in SET_TOGETHER for name in names) == sorted(SETTINGS)


@pytest.mark.parametrize(
    "options", ["-c default_transaction_isolation=serializable -c row_security=off"]
)
def test_what_the_start_of_a_connection_sets_is_no_different(
    database_url: str, make_app: Callable[..., Flask], options: str
) -> None:
    all_of_it(make_app(database_url=make_conninfo(database_url, options=options)))


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_parallel_writes_of_one_user_wait_for_each_other_by_any_default(
    inherited: Callable[..., str],
    pooler: PgBouncer | None,
    prepared_statements: bool,
    isolation: str,
) -> None:
    url = inherited("default_transaction_isolation", f"'{isolation}'")
    migrate(url)
    way = through(pooler, url)
    with closing(Database(way, connections=8, prepared_statements=prepared_statements)) as database:
        who = sign_up(database)

        def creates(number: int) -> None:
            for turn in range(15):
                mine = create_once(f"{number}-{turn}") if turn % 3 else (create(),)
                database.as_user(who, *mine)

        assert at_once(8, creates) == [None] * 8
        [tasks] = database.as_user(who, LIST)
        assert len(tasks) == 100  # the quota of these creates, and not one more


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_parallel_sign_ups_and_limits_hold_by_any_default(
    inherited: Callable[..., str],
    pooler: PgBouncer | None,
    prepared_statements: bool,
    isolation: str,
) -> None:
    url = inherited("default_transaction_isolation", f"'{isolation}'")
    migrate(url)
    way = through(pooler, url)
    networks = [Counter("one address", 20), Counter("its network", 30)]
    with closing(Database(way, connections=8, prepared_statements=prepared_statements)) as database:
        storage = PostgresStorage(database=database)

        def attempts(number: int) -> int:
            return sum(storage.count(networks, window_s=600) for _ in range(5))

        assert all(isinstance(one, SignedIn) for one in at_once(8, lambda _: sign_up(database)))
        assert sum(at_once(8, attempts)) == 20


@pytest.mark.slow
def test_it_is_still_one_round_trip_and_one_transaction(inherited: Callable[..., str]) -> None:
    url = inherited("default_transaction_isolation", "'serializable'")
    migrate(url)
    with proxied(url) as proxy, closing(Database(proxy.url, connections=1)) as single:
        who = sign_up(single)  # learns what this database needs
        gone = SignedIn(who.user_id, str(uuid.uuid4()))
        for _ in range(3):
            proxy.flights = 0
            single.as_user(who, create())
            assert proxy.flights == 1
            proxy.flights = 0
            with pytest.raises(SessionEnded):
                single.as_user(gone, create())
            assert proxy.flights == 1
        assert len(single.as_user(who, LIST)[0]) == 3
        assert proxy.connections == 1


def test_what_changes_while_it_serves_costs_no_request(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    name = superuser.info.dbname
    for isolation in (*ISOLATIONS, "read committed"):
        superuser.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'"
        )
        superuser.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'todo-api' AND datname = current_database()"
        )
        for _ in range(3):
            database.as_user(who, create())
    assert len(database.as_user(who, LIST)[0]) == 9


def test_a_transaction_s_settings_do_not_stay_on_the_connection(
    inherited: Callable[..., str],
) -> None:
    url = inherited("default_transaction_isolation", "'serializable'")
    migrate(url)
    shown = (
        "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
        " current_setting('search_path'), current_setting('row_security')"
    )
    with closing(Database(url, connections=1)) as single:
        with single._pool._pool.connection() as connection:
            before = connection.execute(shown).fetchall()
        sign_up(single)
        with single._pool._pool.connection() as connection:
            assert connection.execute(shown).fetchall() == before
    assert before[0][0] == "serializable"


def test_a_limit_on_whole_transactions_does_not_cut_a_request_short(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    """PostgreSQL 17 and later have transaction_timeout; to earlier ones it is a name that they don't know."""
    shown = "SELECT current_setting('transaction_timeout', true)"
    with suppress(psycopg.errors.UndefinedObject), psycopg.connect(database_url) as connection:
        connection.execute("SET transaction_timeout = '20s'")
        connection.execute("SELECT begin_request(null)")
        assert connection.execute(shown).fetchall() == [("0",)]
    assert superuser.execute(shown).fetchall() in ([("0",)], [(None,)])


def test_a_temporary_table_does_not_take_the_place_of_a_table(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    with closing(Database(database_url, connections=1)) as single:
        with (
            single._pool._pool.connection() as connection
        ):  # as another client of a pooler leaves it
            connection.execute("CREATE TEMPORARY TABLE tasks (LIKE public.tasks)")
            connection.execute("CREATE TEMPORARY TABLE users (LIKE public.users)")
            connection.execute("CREATE TEMPORARY TABLE sessions (LIKE public.sessions)")
            connection.execute("GRANT ALL ON tasks, users, sessions TO PUBLIC")
        who = sign_up(single)
        [[task]] = single.as_user(who, create())
        assert single.as_user(who, LIST) == [[task]]
    assert superuser.execute("SELECT count(*) FROM public.tasks").fetchall() == [(1,)]
