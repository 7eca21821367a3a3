"""The way to the data: round trips, transactions, and a database that is slow, lost or back again."""

import os
import re
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

import todo_api
from support.postgres.proxy import SYNC, Proxy, proxied
from support.waiting import until
from todo_api.database import pool
from todo_api.database.calls import (
    Call,
    SessionEnded,
    SignedIn,
    StatementFailed,
    Unavailable,
    UniqueViolated,
)
from todo_api.database.connection import Connection
from todo_api.database.data import Database
from todo_api.tasks import idempotency
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import NewTask

pytestmark = [pytest.mark.pooled, pytest.mark.partitioned]
HASH = "$2b$04$" + "a" * 53
FLUSH = b"H\x00\x00\x00\x04"
LIST = Call("tasks/list", row=as_task)


@pytest.fixture(scope="module")
def shared_url(postgres: str, template: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    admin.execute(f"CREATE DATABASE data TEMPLATE {template}")
    yield make_conninfo(postgres, dbname="data")
    admin.execute("DROP DATABASE data WITH (FORCE)")


@pytest.fixture
def database_url(shared_url: str) -> Iterator[str]:
    """One database for all tests here, emptied after each: quicker than a clone for each."""
    yield shared_url
    with psycopg.connect(shared_url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("DROP FUNCTION IF EXISTS wait CASCADE")
        connection.execute("ALTER DATABASE data RESET ALL")
        connection.execute("TRUNCATE users, auth_events, rate_limits CASCADE")


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with proxied(database_url) as proxy:
        yield proxy


@pytest.fixture
def database(service_url: str, prepared_statements: bool) -> Iterator[Database]:
    with closing(
        Database(service_url, connections=8, prepared_statements=prepared_statements)
    ) as database:
        yield database


@pytest.fixture
def single(proxy: Proxy) -> Iterator[Database]:
    """A pool of one connection, by way of the proxy."""
    with closing(Database(proxy.url, connections=1)) as database:
        yield database


@pytest.fixture(params=[True, False], ids=["prepared", "not prepared"])
def either(proxy: Proxy, request: pytest.FixtureRequest) -> Iterator[Database]:
    """As `single`, with PREPARED_STATEMENTS and without."""
    with closing(Database(proxy.url, connections=1, prepared_statements=request.param)) as database:
        yield database


def sign_up(database: Database) -> SignedIn:
    """A new user with a session."""
    who = SignedIn(str(uuid.uuid4()), str(uuid.uuid4()))
    account = {
        "user_id": who.user_id,
        "email": f"{who.user_id}@example.com",
        "password_hash": HASH,
    }
    session = {"session_id": who.session_id, "lifetime": 3600}
    database.before_sign_in(
        Call("before_sign_in/create_user", account),
        Call("sessions/create", session),
        user_id=who.user_id,
    )
    return who


def is_served(database: Database, who: SignedIn) -> bool:
    try:
        database.as_user(who)
    except Unavailable:
        return False
    return True


def create(title: str = "Buy oat milk", max_tasks: int = 100) -> Call:
    return Call("tasks/create", {"title": title, "max_tasks": max_tasks}, as_task)


def create_once(key: str, title: str = "Buy oat milk", max_tasks: int = 100) -> tuple[Call, ...]:
    """What a create with a key is."""
    values = {"key": key, "request_hash": "00" * 32, "title": title, "max_tasks": max_tasks}
    return (
        Call("idempotency_keys/take_turn"),
        Call("idempotency_keys/delete_expired", {"key": key}),
        Call("tasks/create_once", values),
    )


def logout(who: SignedIn) -> Call:
    return Call("sessions/delete", {"session_id": who.session_id})


def event(address: str = "192.0.2.1", **changed: Any) -> dict[str, Any]:
    return {
        "event": "token_refused",
        "reason": None,
        "address": address,
        "user_agent": None,
        "request_id": "r",
        "bounded": True,
    } | changed


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` returned or raised, from `count` threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait(timeout=30)
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 (the test judges it)
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


# --- one request, one round trip ---


def _repeat(call: Call) -> Callable[[Database, SignedIn], list[Call]]:
    return lambda database, who: [call] * 12


def _on_tasks(name: str, **parameters: Any) -> Callable[[Database, SignedIn], list[Call]]:
    def calls(database: Database, who: SignedIn) -> list[Call]:
        tasks = [database.as_user(who, create())[0][0] for _ in range(12)]
        return [Call(name, {"task_id": task.id, **parameters}) for task in tasks]

    return calls


def _each_with_a_key(database: Database, who: SignedIn) -> list[tuple[Call, ...]]:
    return [create_once(f"k{number % 9}") for number in range(12)]


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param(_repeat(LIST), id="list"),
        pytest.param(_repeat(create()), id="create"),
        pytest.param(_each_with_a_key, id="create once"),
        pytest.param(_on_tasks("tasks/get"), id="get"),
        pytest.param(_on_tasks("tasks/update", title="x", is_completed=None), id="update"),
        pytest.param(_on_tasks("tasks/complete"), id="complete"),
        pytest.param(_on_tasks("tasks/delete"), id="delete"),
    ],
)
def test_a_task_call_is_one_round_trip_the_first_and_every_later_time(
    proxy: Proxy, either: Database, calls: Callable[[Database, SignedIn], list[Call]]
) -> None:
    who = sign_up(either)
    for number, call in enumerate(calls(either, who)):
        proxy.flights = 0
        *_, rows = either.as_user(who, *(call if type(call) is tuple else (call,)))
        assert proxy.flights == 1, f"call {number}"
        assert rows or call is LIST


def test_plain_postgresql_is_sent_no_begin_and_no_commit(proxy: Proxy, single: Database) -> None:
    who = sign_up(single)
    proxy.cut_at("_on_citus")
    for _ in range(3):
        single.as_user(who, create())
    assert proxy.cuts == 0


def test_with_the_extension_a_request_is_a_transaction_by_name_in_one_round_trip(
    proxy: Proxy, superuser: psycopg.Connection[Any]
) -> None:
    # Its name is all that the service looks at. What Citus makes of it is in tests/citus.
    superuser.execute(
        "INSERT INTO pg_extension SELECT 999999, 'citus', extowner, extnamespace, false, '0', null, null"
        " FROM pg_extension WHERE extname = 'plpgsql'"
    )
    try:
        with closing(Database(proxy.url, connections=1)) as single:
            who = sign_up(single)
            gone = SignedIn(who.user_id, str(uuid.uuid4()))
            for number in range(1, 4):
                proxy.flights = 0
                single.as_user(who, create())
                assert proxy.flights == 1
                for failing in (
                    (gone, create("taken back")),
                    (who, create("taken back"), create("")),
                ):
                    with pytest.raises((SessionEnded, StatementFailed)):
                        single.as_user(*failing)
                assert len(single.as_user(who, LIST)[0]) == number
            assert proxy.connections == 1
            assert superuser.execute(
                "SELECT query, state FROM pg_stat_activity"
                " WHERE application_name = 'todo-api' AND datname = current_database()"
            ).fetchall() == [("/* before_sign_in/commit_on_citus */ COMMIT", "idle")]
    finally:
        superuser.execute("DELETE FROM pg_extension WHERE extname = 'citus'")


def test_a_first_call_on_a_fresh_connection_is_one_round_trip(
    proxy: Proxy, either: Database, database: Database
) -> None:
    who = sign_up(database)
    until(lambda: proxy.connections == 1)
    either.before_sign_in()  # waits for the connection to be ready
    proxy.flights = 0
    either.as_user(who, create())
    assert (proxy.flights, proxy.connections) == (1, 1)


def test_logout_with_its_event_is_one_round_trip(proxy: Proxy, either: Database) -> None:
    for _ in range(8):
        who = sign_up(either)
        proxy.flights = 0
        [ended, _] = either.as_user(who, logout(who), Call("auth_events/record", event()))
        assert proxy.flights == 1
        assert ended


def test_sign_up_with_session_and_event_is_one_round_trip(proxy: Proxy, either: Database) -> None:
    either.before_sign_in()
    for _ in range(8):
        proxy.flights = 0
        sign_up(either)
        assert proxy.flights == 1


def test_nothing_follows_the_sync_that_a_pooler_takes_for_the_end(
    proxy: Proxy, either: Database
) -> None:
    who = sign_up(either)
    gone = SignedIn(who.user_id, str(uuid.uuid4()))
    proxy.sent = b""
    for _ in range(8):
        either.as_user(who, create())
        with pytest.raises(SessionEnded):
            either.as_user(gone, create())
    assert proxy.sent.count(SYNC) == 16
    assert FLUSH not in proxy.sent
    assert proxy.sent.endswith(SYNC)


def test_without_preparing_no_statement_gets_a_name(proxy: Proxy) -> None:
    with closing(Database(proxy.url, connections=1, prepared_statements=False)) as database:
        who = sign_up(database)
        proxy.sent = b""
        for _ in range(8):
            database.as_user(who, create())
    named = re.findall(rb"P....([^\x00]*)\x00/\*", proxy.sent, re.DOTALL)
    assert named == [b""] * 16


# --- one request, one transaction ---


def test_a_dead_session_raises_and_nothing_after_it_runs(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    database.as_user(who, logout(who))
    with pytest.raises(SessionEnded):
        database.as_user(who, create(), create())
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    assert superuser.execute("SELECT count(*) FROM task_counts").fetchone() == (0,)


@pytest.mark.parametrize("end", ["expired", "other user's", "user gone", "never was"])
def test_only_a_live_session_of_the_same_user_counts(
    database: Database, superuser: psycopg.Connection[Any], end: str
) -> None:
    who = sign_up(database)
    if end == "expired":
        superuser.execute(
            "UPDATE sessions SET created_at = now() - interval '2 s', expires_at = now() - interval '1 s'"
        )
    elif end == "user gone":
        superuser.execute("DELETE FROM users")
    elif end == "other user's":
        who = SignedIn(sign_up(database).user_id, who.session_id)
    else:
        who = SignedIn(who.user_id, str(uuid.uuid4()))
    with pytest.raises(SessionEnded):
        database.as_user(who, LIST)


def test_an_error_in_the_second_statement_takes_the_first_back(database: Database) -> None:
    who = sign_up(database)
    with pytest.raises(StatementFailed):
        database.as_user(who, create("kept?"), create(""))
    assert database.as_user(who, LIST) == [[]]


def test_a_logout_whose_event_fails_did_not_happen(database: Database) -> None:
    who = sign_up(database)
    bad = Call("auth_events/record", event(event="no such event"))
    with pytest.raises(StatementFailed):
        database.as_user(who, logout(who), bad)
    assert database.as_user(who, LIST) == [[]]


def test_an_address_in_use_is_taken_by_the_name_of_its_constraint(database: Database) -> None:
    who = sign_up(database)
    other = str(uuid.uuid4())
    account = {
        "user_id": other,
        "email": f"{who.user_id}@EXAMPLE.com",
        "password_hash": HASH,
    }
    with pytest.raises(UniqueViolated, match=r"^users_email_key$"):
        database.before_sign_in(Call("before_sign_in/create_user", account), user_id=other)


def test_a_connection_is_used_again_after_every_kind_of_error(
    proxy: Proxy, single: Database
) -> None:
    who = sign_up(single)
    gone = SignedIn(who.user_id, str(uuid.uuid4()))
    # More often than it takes psycopg to prepare a statement: what an error undid must not be
    # taken for prepared.
    for number in range(8):
        with pytest.raises(SessionEnded):
            single.as_user(gone, create())
        with pytest.raises(StatementFailed):
            single.as_user(who, create(f"task {number}"), create(""))
        with pytest.raises(StatementFailed):
            single.as_user(who, create(""), LIST)
        single.as_user(who, create(f"task {number}"))
    [tasks] = single.as_user(who, LIST)
    assert [task.title for task in tasks] == [f"task {number}" for number in range(7, -1, -1)]
    assert proxy.connections == 1


def test_parameters_that_a_statement_does_not_have_are_refused(database: Database) -> None:
    who = sign_up(database)
    with pytest.raises(TypeError, match=r"tasks/list\.sql has no parameter user_id"):
        database.as_user(who, Call("tasks/list", {"user_id": str(uuid.uuid4())}))
    with pytest.raises(KeyError, match="title"):
        database.as_user(who, Call("tasks/create", {"max_tasks": 1}))


@pytest.mark.parametrize(
    "failing",
    [
        Call("tasks/create", {"title": "\x00 a secret title", "max_tasks": 9}),  # psycopg refuses
        Call("tasks/create", {"title": " a secret title", "max_tasks": 9}),  # a constraint refuses
        Call("tasks/get", {"task_id": "a secret title"}),  # a type refuses
        Call("tasks/create", {"title": "a secret title", "max_tasks": 1 << 70}),  # out of range
    ],
)
def test_a_failed_statement_names_itself_and_no_value(database: Database, failing: Call) -> None:
    who = sign_up(database)
    with pytest.raises(StatementFailed, match=f"in {failing.name}$") as raised:
        database.as_user(who, failing)
    shown = "".join(traceback.format_exception(raised.value))
    assert "a secret title" not in shown
    assert "INSERT" not in shown
    assert who.user_id not in shown


# --- a database that is busy ---


def test_a_locked_row_is_given_up_on(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    with superuser.transaction():
        superuser.execute("SELECT FROM tasks FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            database.as_user(who, Call("tasks/complete", {"task_id": task.id}))
        assert 1.5 < time.monotonic() - began < 4.5
    [[task]] = database.as_user(who, Call("tasks/complete", {"task_id": task.id}, as_task))
    assert task.is_completed


def test_a_statement_that_takes_too_long_is_given_up_on(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    superuser.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$"
    )
    superuser.execute("CREATE TRIGGER wait BEFORE INSERT ON tasks EXECUTE FUNCTION wait()")
    began = time.monotonic()
    with pytest.raises(Unavailable):
        database.as_user(who, create())
    assert 4.5 < time.monotonic() - began < 10
    assert database.as_user(who, LIST) == [[]]


def test_a_pool_in_full_use_is_unavailable_within_two_seconds(
    single: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(single)
    superuser.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(2.2); RETURN NEW; END $$"
    )
    superuser.execute("CREATE TRIGGER wait BEFORE INSERT ON tasks EXECUTE FUNCTION wait()")
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(single.as_user, who, create())
        until(
            lambda: superuser.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                " AND datname = current_database()"
            ).fetchone()
        )
        began = time.monotonic()
        with pytest.raises(Unavailable):
            single.as_user(who, LIST)
        assert time.monotonic() - began < 2.5
        assert len(slow.result()[0]) == 1


def test_a_read_only_server_is_unavailable_for_writes_and_reads_on(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    name = superuser.info.dbname
    superuser.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with closing(Database(database_url, connections=1)) as read_only:
        assert read_only.as_user(who, LIST) == [[]]
        with pytest.raises(Unavailable):
            read_only.as_user(who, create())


def test_a_connection_to_a_server_that_has_become_read_only_is_not_used_again(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    name = superuser.info.dbname
    superuser.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with closing(Database(database_url, connections=1)) as switched:
        switched.as_user(who, LIST)  # on a connection that stays read-only
        superuser.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        with pytest.raises(Unavailable):
            switched.as_user(who, create())
        [[task]] = switched.as_user(who, create())
        assert switched.as_user(who, LIST) == [[task]]


def test_a_table_that_was_changed_under_prepared_statements_is_read_again(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    with closing(Database(database_url, connections=1)) as single:
        who = sign_up(single)
        [[task]] = single.as_user(who, create())
        single.as_user(who, LIST)
        superuser.execute("ALTER TABLE tasks ALTER title TYPE varchar(500)")
        try:
            with pytest.raises(Unavailable):  # of a type that the prepared statement does not have
                single.as_user(who, create("refused"))
            assert single.as_user(who, LIST) == [[task]]
        finally:
            superuser.execute("ALTER TABLE tasks ALTER title TYPE text")


def test_a_transaction_that_the_server_itself_cuts_short_is_unavailable(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    superuser.execute(  # as transaction_timeout does, from PostgreSQL 17 on
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'too long' USING ERRCODE = '25P04'; END $$"
    )
    superuser.execute("CREATE TRIGGER wait BEFORE INSERT ON tasks EXECUTE FUNCTION wait()")
    with pytest.raises(Unavailable):
        database.as_user(who, create())


# --- a database that goes away and comes back ---


def test_an_absent_database_is_unavailable_soon_and_used_again_when_it_is_back(
    proxy: Proxy,
) -> None:
    with closing(Database(proxy.url, connections=4)) as database:
        who = sign_up(database)
        proxy.refuse()
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                database.as_user(who, LIST)
            assert time.monotonic() - began < 2.5
        proxy.accept()
        until(lambda: is_served(database, who), within_s=2.5)
        database.as_user(who, create())


def test_of_a_crowd_that_asks_for_an_absent_database_nobody_waits_twice(proxy: Proxy) -> None:
    def seconds_until_refused(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            database.as_user(who, LIST)
        return time.monotonic() - began

    with closing(Database(proxy.url, connections=4)) as database:
        who = sign_up(database)
        proxy.refuse()
        seconds_until_refused(0)
        assert sum(at_once(8, seconds_until_refused)) < pool.POOL_TIMEOUT_S


def test_an_absent_database_is_found_again_while_nobody_asks(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Database(proxy.url, connections=4)) as database:
        who = sign_up(database)
        proxy.refuse()
        with pytest.raises(Unavailable):
            database.as_user(who, LIST)
        psycopg_pool = database._pool._pool
        getconn, too_late = psycopg_pool.getconn, [True, True]  # as on a machine that is very busy

        def getconn_late(timeout: float) -> Connection:
            if too_late:
                raise PoolTimeout(too_late.pop())
            return getconn(timeout)

        monkeypatch.setattr(psycopg_pool, "getconn", getconn_late)
        until(lambda: not too_late)
        proxy.accept()
        until(lambda: psycopg_pool.get_stats()["pool_available"])
        assert database.as_user(who, LIST) == [[]]


def test_a_database_absent_at_the_start_is_used_when_it_comes(
    proxy: Proxy, database: Database
) -> None:
    who = sign_up(database)
    proxy.refuse()
    with closing(Database(proxy.url, connections=4)) as late:
        with pytest.raises(Unavailable):
            late.as_user(who, LIST)
        proxy.accept()
        until(lambda: is_served(late, who), within_s=2.5)
        assert late.as_user(who, LIST) == [[]]


def test_connections_that_the_server_closed_cost_no_request_and_no_waiting(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'tasks'::regclass AND NOT granted"
    for first in (create(), LIST):
        # Fill the pool: eight calls wait for one lock, each on a connection of its own.
        superuser.execute("BEGIN")
        superuser.execute("LOCK tasks")
        with ThreadPoolExecutor(8) as threads:
            held = [threads.submit(database.as_user, who, LIST) for _ in range(8)]
            until(lambda: superuser.execute(waiting).fetchone() == (8,))
            superuser.execute("ROLLBACK")
            assert not [call.exception() for call in held if call.exception()]
        superuser.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'todo-api' AND datname = current_database()"
        )
        began = time.monotonic()
        database.as_user(who, first)
        assert time.monotonic() - began < 0.9


def test_a_read_whose_connection_breaks_is_asked_again_once(proxy: Proxy, single: Database) -> None:
    who = sign_up(single)
    for _ in range(3):
        single.as_user(who, create())
    proxy.cut_at("/* tasks/list */")
    with pytest.raises(Unavailable):
        single.as_user(who, LIST)
    assert proxy.cuts == 2


def test_a_read_survives_one_broken_connection(proxy: Proxy, single: Database) -> None:
    who = sign_up(single)
    proxy.cut_at("/* tasks/list */", times=1)
    assert single.as_user(who, LIST) == [[]]
    assert proxy.cuts == 1


def test_a_read_outlives_the_end_of_all_connections_one_after_the_other(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    running = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'todo-api'"
    )
    others = set(superuser.execute(running))  # a pooler's, from before
    with closing(Database(database_url, connections=2)) as database:
        who = sign_up(database)
        until(lambda: len(set(superuser.execute(running)) - others) == 2)
        old = set(superuser.execute(running)) - others
        with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as threads:
            other.execute("LOCK tasks")
            found = threads.submit(database.as_user, who, LIST)

            def waits_on_a_new_one() -> bool:
                waiting = set(superuser.execute(f"{running} AND wait_event_type = 'Lock'"))
                for [pid] in waiting & old:
                    superuser.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
                return bool(waiting - old) or found.done()

            until(waits_on_a_new_one)
            other.rollback()
            assert found.result() == [[]]


def test_a_write_whose_connection_breaks_is_not_repeated(
    proxy: Proxy, single: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(single)
    proxy.cut_at("/* tasks/create */", times=1)
    with pytest.raises(Unavailable):
        single.as_user(who, create("once"))
    until(lambda: superuser.execute("SELECT FROM tasks").fetchone() is not None)
    assert proxy.cuts == 1
    [tasks] = single.as_user(who, LIST)
    assert [task.title for task in tasks] == ["once"]


def test_a_read_beside_a_write_is_not_repeated(proxy: Proxy, single: Database) -> None:
    who = sign_up(single)
    proxy.cut_at("/* tasks/create */", times=1)
    with pytest.raises(Unavailable):
        single.as_user(who, LIST, create("once"))
    assert proxy.cuts == 1


def test_a_server_that_falls_silent_holds_a_request_for_a_bounded_time(
    proxy: Proxy, single: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = sign_up(single)
    monkeypatch.setattr(pool, "ANSWER_TIMEOUT_S", 0.5)
    proxy.frozen = True
    began = time.monotonic()
    with pytest.raises(Unavailable):
        single.as_user(who, create())
    assert time.monotonic() - began < 5
    proxy.frozen = False
    monkeypatch.undo()
    assert until(lambda: single.as_user(who, LIST)) is not None


def seconds_until_a_dead_network_is_noticed(url: str) -> list[float]:
    """On an idle connection, and on one that has sent something."""
    with (
        closing(Database(url, connections=1)) as database,
        closing(database._pool.take()) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as link,
    ):
        idle, interval, count, unanswered = (
            link.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                *(socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT),
                socket.TCP_USER_TIMEOUT,
            )
        )
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        return [idle + interval * count, unanswered / 1000]


def test_a_machine_that_fell_off_the_network_is_given_up_before_a_request_is(proxy: Proxy) -> None:
    assert max(seconds_until_a_dead_network_is_noticed(proxy.url)) < pool.ANSWER_TIMEOUT_S
    chosen = make_conninfo(
        proxy.url,
        keepalives_idle=60,
        keepalives_interval=5,
        keepalives_count=2,
        tcp_user_timeout=30000,
    )
    assert seconds_until_a_dead_network_is_noticed(chosen) == [70, 30]


def test_a_read_is_not_asked_again_after_silence(
    proxy: Proxy, single: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = sign_up(single)
    send, sent = single._send, []
    monkeypatch.setattr(single, "_send", lambda *given: sent.append(given) or send(*given))
    monkeypatch.setattr(pool, "ANSWER_TIMEOUT_S", 0.5)
    proxy.frozen = True
    with pytest.raises(Unavailable):
        single.as_user(who, LIST)
    proxy.frozen = False
    assert len(sent) == 1


def test_every_bound_is_shorter_than_the_next_one_out(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    """A lock, a statement, an abandoned transaction, our own patience, the proxy's of nginx.conf."""
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with superuser.transaction():
        superuser.execute("SELECT begin_request(NULL)")
        lock_s, statement_s, idle_s = (
            superuser.execute(
                "SELECT setting::int / 1000.0 FROM pg_settings WHERE name = %s", (one,)
            ).fetchall()[0][0]
            for one in names
        )
    nginx = (Path(todo_api.__file__).parent / "deploy" / "nginx.conf").read_text("utf-8")
    [proxy_s] = re.findall(r"proxy_read_timeout +(\d+)s;", nginx)
    assert 0 < lock_s < statement_s
    assert statement_s + 2 < pool.ANSWER_TIMEOUT_S  # room for the way there and back
    assert int(proxy_s) > pool.POOL_TIMEOUT_S + pool.ANSWER_TIMEOUT_S
    assert 0 < idle_s < int(proxy_s)
    assert superuser.execute("SHOW statement_timeout").fetchall() == [("0",)]  # nothing stays


# --- exact under parallel use ---


def test_parallel_creates_stop_exactly_at_the_quota(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    with closing(Database(database_url, connections=8)) as other_process:
        pools = (database, other_process)
        outcomes = at_once(
            20, lambda number: pools[number % 2].as_user(who, create(max_tasks=5))[0]
        )
    assert sorted(len(rows) for rows in outcomes) == [0] * 15 + [1] * 5
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (5,)
    assert superuser.execute("SELECT tasks FROM task_counts").fetchone() == (5,)


def test_parallel_creates_with_one_key_make_one_task_even_for_the_last_place(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    with closing(Database(database_url, connections=8)) as other_process:
        pools = (database, other_process)
        calls = create_once("k", max_tasks=1)
        outcomes = at_once(20, lambda number: pools[number % 2].as_user(who, *calls)[-1])
    rows = [row for [row] in outcomes]
    assert sorted(is_replay for is_replay, *_ in rows) == [False] + [True] * 19
    assert len({tuple(made) for _, *made in rows}) == 1
    assert superuser.execute("SELECT id::text FROM tasks").fetchall() == [(rows[0][2],)]
    assert superuser.execute("SELECT tasks FROM task_counts").fetchall() == [(1,)]


def test_a_create_waits_for_another_with_its_key_and_is_answered_alike(
    database: Database, superuser: psycopg.Connection[Any], database_url: str
) -> None:
    who = sign_up(database)
    database.as_user(who, create())
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(database_url) as holder, ThreadPoolExecutor(2) as threads:
        holder.execute("SELECT FROM task_counts FOR UPDATE")
        body = NewTask("Buy bread")
        working = [
            threads.submit(idempotency.create, database, who, "k", body, 2) for _ in range(2)
        ]
        until(lambda: superuser.execute(waiting).fetchone() == (2,))
        holder.rollback()
        one, other = (future.result() for future in working)
    assert one.task == other.task
    assert {one.is_replay, other.is_replay} == {False, True}
    assert superuser.execute("SELECT tasks FROM task_counts").fetchall() == [(2,)]


def test_parallel_creates_with_keys_that_are_no_longer_good_are_all_done(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    for number in range(20):
        database.as_user(who, *create_once(f"k{number}"))
    superuser.execute("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
    outcomes = at_once(40, lambda number: database.as_user(who, *create_once(f"k{number % 20}")))
    assert sorted(is_replay for *_, [(is_replay, *_)] in outcomes) == [False] * 20 + [True] * 20
    assert superuser.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (20,)
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (40,)


def test_a_task_and_its_key_are_there_together_or_not_at_all(
    proxy: Proxy, single: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(single)
    with pytest.raises(StatementFailed):
        single.as_user(who, *create_once("k"), create(""))
    assert single.as_user(who, *create_once("full", max_tasks=0))[-1] != []  # the first is free
    assert single.as_user(who, *create_once("k", max_tasks=1))[-1] == []
    assert superuser.execute("SELECT key FROM idempotency_keys").fetchall() == [("full",)]
    # the answer is lost; that the task was made is found by its key
    proxy.cut_at("tasks/create_once", times=1)
    with pytest.raises(Unavailable):
        single.as_user(who, *create_once("lost"))
    until(lambda: superuser.execute("SELECT FROM idempotency_keys WHERE key = 'lost'").fetchall())
    [(is_replay, is_same, task_id, _)] = single.as_user(who, *create_once("lost"))[-1]
    assert (is_replay, is_same) == (True, True)
    assert superuser.execute("SELECT count(*) FROM tasks WHERE id = %s", (task_id,)).fetchone() == (
        1,
    )
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (2,)


def test_a_replay_leaves_nothing_to_be_written(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    database.as_user(who, *create_once("k"))
    next_number = (
        "SELECT txid_snapshot_xmax(txid_current_snapshot())"  # of a transaction that writes
    )
    before = superuser.execute(next_number).fetchone()
    for _ in range(5):
        assert database.as_user(who, *create_once("k"))[-1][0][0]
    assert superuser.execute(next_number).fetchone() == before


def test_a_deleted_task_makes_room_under_parallel_creates_and_deletes(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    held = [database.as_user(who, create(max_tasks=10))[0][0] for _ in range(10)]
    assert database.as_user(who, create(max_tasks=10)) == [[]]

    def one(number: int) -> Any:
        if number < 10:
            return database.as_user(who, Call("tasks/delete", {"task_id": held[number].id}))
        return database.as_user(who, create(max_tasks=10))

    outcomes = at_once(20, one)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    created = sum(len(rows) for [rows] in outcomes[10:])
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (created,)
    assert superuser.execute("SELECT tasks FROM task_counts").fetchone() == (created,)


def test_racing_deletes_have_one_winner(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    [[kept]], [[task]] = database.as_user(who, create("kept")), database.as_user(who, create())
    call = Call("tasks/delete", {"task_id": task.id})
    outcomes = at_once(20, lambda _: database.as_user(who, call)[0])
    assert sorted(len(rows) for rows in outcomes) == [0] * 19 + [1]
    assert superuser.execute("SELECT id::text FROM tasks").fetchall() == [(kept.id,)]
    assert superuser.execute("SELECT tasks FROM task_counts").fetchall() == [(1,)]


def test_racing_completions_agree(database: Database) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    call = Call("tasks/complete", {"task_id": task.id}, as_task)
    outcomes = at_once(20, lambda _: database.as_user(who, call)[0][0])
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
    assert outcomes[0].completed_at == outcomes[0].updated_at > task.created_at


def test_completing_again_writes_nothing(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    call = Call("tasks/complete", {"task_id": task.id}, as_task)
    first = database.as_user(who, call)
    stored = superuser.execute("SELECT ctid, xmin, xmax FROM tasks").fetchall()
    assert database.as_user(who, call) == first
    assert superuser.execute("SELECT ctid, xmin, xmax FROM tasks").fetchall() == stored


def test_a_completion_that_waited_for_another_one_keeps_its_moment(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    call = Call("tasks/complete", {"task_id": task.id}, as_task)
    with ThreadPoolExecutor(1) as elsewhere:
        with superuser.transaction():
            superuser.execute(
                "UPDATE tasks SET completed_at = '2026-01-01', updated_at = '2026-01-01'"
            )
            waiting = elsewhere.submit(database.as_user, who, call)
            until(
                lambda: (
                    superuser.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone()
                    is not None
                )
            )
        [[completed]] = waiting.result()
    assert completed.completed_at == completed.updated_at == "2026-01-01T00:00:00.000000Z"


def test_racing_completions_updates_and_deletes_raise_nothing(database: Database) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    update = {"task_id": task.id, "title": "Changed", "is_completed": True}
    calls = (
        Call("tasks/complete", {"task_id": task.id}, as_task),
        Call("tasks/update", update, as_task),
        Call("tasks/update", {**update, "is_completed": None}, as_task),
        Call("tasks/delete", {"task_id": task.id}),
    )
    outcomes = at_once(20, lambda number: database.as_user(who, calls[number % 4])[0])
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert sum(len(rows) for rows in outcomes[3::4]) == 1
    assert database.as_user(who, LIST) == [[]]


# --- times ---


def test_times_are_utc_with_six_digits_whatever_the_server_speaks(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    name = superuser.info.dbname
    superuser.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'")
    superuser.execute(f"ALTER DATABASE {name} SET datestyle = 'German, DMY'")
    with closing(Database(database_url, connections=1)) as database:
        who = sign_up(database)
        [[task]] = database.as_user(who, create())
        superuser.execute(
            "UPDATE tasks SET created_at = '2024-02-29 12:00:00Z',"
            " completed_at = '2024-03-01 00:00:00.000001Z', updated_at = '1999-12-31 23:59:59.999999Z'"
        )
        [[task]] = database.as_user(who, Call("tasks/get", {"task_id": task.id}, as_task))
    assert task.created_at == "2024-02-29T12:00:00.000000Z"
    assert task.completed_at == "2024-03-01T00:00:00.000001Z"
    assert task.updated_at == "1999-12-31T23:59:59.999999Z"


def test_ids_are_lower_case_text(database: Database) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    assert task.user_id == who.user_id
    assert task.id == str(uuid.UUID(task.id))


# --- the rate limit ---


def hit(key: str = "k", cost: int = 1, allowed: int = 5, window: int = 60) -> Call:
    parameters = {"key": key, "cost": cost, "allowed": allowed, "window": window}
    return Call("before_sign_in/hit_rate_limit", parameters)


def used(database: Database, key: str = "k", window: int = 60) -> int:
    call = Call("before_sign_in/read_rate_limit", {"key": key, "window": window})
    [[(_, count)]] = database.before_sign_in(call)
    return int(count)


def age(superuser: psycopg.Connection[Any], seconds: float) -> None:
    """Let time pass for every counter."""
    superuser.execute(
        "UPDATE rate_limits SET expires_at = expires_at - make_interval(secs => %(by)s),"
        " hits = ARRAY(SELECT hit - make_interval(secs => %(by)s) FROM unnest(hits) AS hit)",
        {"by": seconds},
    )


def test_parallel_hits_are_accepted_exactly_as_often_as_allowed(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    with closing(Database(database_url, connections=8)) as other_process:
        pools = (database, other_process)
        for expected in (5, 0, 5):  # a new counter, a full one, one whose window has passed
            outcomes = at_once(30, lambda number: pools[number % 2].before_sign_in(hit())[0])
            assert sorted(len(rows) for rows in outcomes) == [0] * (30 - expected) + [1] * expected
            if not expected:
                age(superuser, 61)
    assert used(database) == 5


def test_parallel_hits_of_many_clients_clear_each_others_old_counters_without_deadlock(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(4):
        age(superuser, 120)
        outcomes = at_once(24, lambda number: database.before_sign_in(hit(f"client {number % 12}")))
        assert outcomes == [[[(True,)]]] * 24
        assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (12,)


def test_the_window_moves(database: Database, superuser: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        database.before_sign_in(hit())
    age(superuser, 40)
    for _ in range(2):
        assert database.before_sign_in(hit()) == [[(True,)]]
    assert database.before_sign_in(hit()) == [[]]
    age(superuser, 21)  # the first three are out, the other two are not
    assert used(database) == 2
    for _ in range(3):
        assert database.before_sign_in(hit()) == [[(True,)]]
    assert database.before_sign_in(hit()) == [[]]


def test_refused_hits_do_not_prolong_the_wait(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(5):
        database.before_sign_in(hit())
    age(superuser, 59)
    for _ in range(10):
        assert database.before_sign_in(hit()) == [[]]
    age(superuser, 2)
    assert database.before_sign_in(hit()) == [[(True,)]]
    assert used(database) == 1


def test_a_hit_of_more_than_one_counts_as_many(database: Database) -> None:
    assert database.before_sign_in(hit(cost=4)) == [[(True,)]]
    assert database.before_sign_in(hit(cost=2)) == [[]]
    assert database.before_sign_in(hit(cost=1)) == [[(True,)]]
    assert used(database) == 5


def test_a_first_hit_beyond_the_limit_is_refused(database: Database) -> None:
    assert database.before_sign_in(hit(cost=6)) == [[]]
    assert used(database) == 0


def test_old_counters_go_in_passing(database: Database, superuser: psycopg.Connection[Any]) -> None:
    for number in range(15):
        database.before_sign_in(hit(f"old {number}"))
    age(superuser, 61)
    database.before_sign_in(hit("new"))
    assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (6,)
    database.before_sign_in(hit("new"))
    assert superuser.execute("SELECT key FROM rate_limits").fetchall() == [("new",)]


# --- auth_events ---


def record(**changed: Any) -> Call:
    return Call("before_sign_in/record_event", event(**changed) | {"user_id": None})


def rows(superuser: psycopg.Connection[Any]) -> int:
    [(count,)] = superuser.execute("SELECT count(*) FROM auth_events").fetchall()
    return int(count)


def test_one_network_leaves_exactly_sixty_rows_a_minute(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    known = Call("auth_events/record", event("2001:db8::ffff"))

    def flood(number: int) -> None:
        pool = pools[number % 3]
        for _ in range(2):
            pool.before_sign_in(record(address=f"2001:db8::{number:x}"))
        pool.as_user(who, known)

    with (
        closing(Database(database_url, connections=10)) as second,
        closing(Database(database_url, connections=10)) as third,
    ):
        pools = (database, second, third)
        assert at_once(30, flood) == [None] * 30
    assert rows(superuser) == 60
    database.before_sign_in(record(address="2001:db8:0:1::1"))  # another /64
    database.before_sign_in(record(address="192.0.2.1"))
    assert rows(superuser) == 62
    database.before_sign_in(record(address="2001:db8::1"))
    assert rows(superuser) == 62
    database.before_sign_in(record(address="2001:db8::1", event="login_refused", bounded=False))
    assert rows(superuser) == 63
    superuser.execute("UPDATE auth_events SET occurred_at = occurred_at - interval '61 s'")
    database.before_sign_in(record(address="2001:db8::1"))
    assert rows(superuser) == 64


def test_an_ipv4_address_is_a_client_of_its_own(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(61):
        database.before_sign_in(record(address="192.0.2.1"))
    assert rows(superuser) == 60
    database.before_sign_in(record(address="192.0.2.2"))
    assert rows(superuser) == 61


def test_an_event_about_a_user_who_is_gone_is_about_nobody(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    gone = str(uuid.uuid4())
    call = Call("before_sign_in/record_event", event() | {"user_id": gone})
    database.before_sign_in(call, user_id=gone)
    assert superuser.execute("SELECT user_id FROM auth_events").fetchall() == [(None,)]
