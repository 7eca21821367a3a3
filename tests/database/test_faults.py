"""A database that is slow, busy, lost or back again: requests neither wait for long nor fail without need."""

import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

import todo_api
from support.at_once import at_once
from support.postgres.proxy import Proxy
from support.signed_up import TURN, create, sign_up, update
from support.waiting import until
from todo_api.database import pool
from todo_api.database.calls import Call, SignedIn, Unavailable
from todo_api.database.connection import Connection
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task

pytestmark = [pytest.mark.pooled, pytest.mark.partitioned]
LIST = Call("tasks/list", row=as_task)
OURS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'todo-api'"
    " AND datname = current_database() ORDER BY pid"
)


def is_served(database: Database, who: SignedIn) -> bool:
    try:
        database.as_user(who)
    except Unavailable:
        return False
    return True


# --- a database that is busy ---


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_many_statements_that_are_slow_together_are_given_up_on_and_undone(
    database: Database, superuser: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    superuser.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$"
    )
    superuser.execute("CREATE TRIGGER wait BEFORE UPDATE ON tasks EXECUTE FUNCTION wait()")
    monkeypatch.setattr(pool, "ANSWER_TIMEOUT_S", 1.0)
    changes = [update(task.id, title=str(number)) for number in range(100)]
    began = time.monotonic()
    with pytest.raises(Unavailable):
        database.as_user(who, TURN, *changes)
    assert time.monotonic() - began < 8
    # Without the cancel the turn would be held for 20 s and more: until there is something to send.
    until(
        lambda: (
            not superuser.execute(
                "SELECT 1 FROM pg_locks INNER JOIN pg_database ON pg_database.oid = pg_locks.database"
                " WHERE locktype = 'advisory' AND datname = current_database()"
            ).fetchone()
        )
    )
    assert time.monotonic() - began < 12
    assert database.as_user(who, LIST) == [[task]]


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", "ConnectionFailure"),
        ("40001", "SerializationFailure"),
        ("40P01", "DeadlockDetected"),
        ("53100", "DiskFull"),
        ("53200", "OutOfMemory"),
        ("53300", "TooManyConnections"),
        ("57014", "QueryCanceled"),
        ("58030", "IoError"),
        ("55P03", "LockNotAvailable"),
    ],
)
def test_an_error_of_the_moment_is_named_by_its_kind_without_postgresqls_words(
    database: Database, superuser: psycopg.Connection[Any], sqlstate: str, kind: str
) -> None:
    who = sign_up(database)
    superuser.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'words of a client' USING ERRCODE = '{sqlstate}'; END $$"
    )
    superuser.execute("CREATE TRIGGER fail BEFORE INSERT ON tasks EXECUTE FUNCTION fail()")
    with pytest.raises(Unavailable) as failure:
        database.as_user(who, create())
    assert str(failure.value) == f"{kind} ({sqlstate})"


@pytest.mark.slow
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


def test_a_server_that_has_become_read_only_reads_on_and_is_left_for_writes(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    with closing(Database(database_url, connections=1)) as switched:
        who = sign_up(switched)
        [[task]] = switched.as_user(who, create())
        first = superuser.execute(OURS).fetchall()
        superuser.execute(  # as a standby does, whatever the transaction asks for
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'reads only' USING ERRCODE = '25006'; END $$"
        )
        superuser.execute("CREATE TRIGGER wait BEFORE INSERT ON tasks EXECUTE FUNCTION wait()")
        assert switched.as_user(who, LIST) == [[task]]
        assert superuser.execute(OURS).fetchall() == first
        with pytest.raises(Unavailable):
            switched.as_user(who, create())
        superuser.execute("DROP FUNCTION wait CASCADE")
        [[second]] = switched.as_user(who, create())
        assert superuser.execute(OURS).fetchall() != first  # there may be another server by now
        assert switched.as_user(who, LIST) == [[second, task]]


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
