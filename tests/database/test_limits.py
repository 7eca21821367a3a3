"""Times, and what stays exact under parallel use: quota, keys, rate limit and the bound of events."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest

from support.accounts import Account
from support.at_once import at_once
from support.postgres.proxy import Proxy
from support.signed_up import TURN, create, create_once, delete, event, session, sign_up, update
from support.waiting import until
from todo_api.database.calls import Call, StatementFailed, Unavailable
from todo_api.database.data import Database
from todo_api.tasks import idempotency
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import TaskCreate

pytestmark = [pytest.mark.pooled, pytest.mark.partitioned]
LIST = Call("tasks/list", row=as_task)


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
    assert sorted(is_replay for _, is_replay, *_ in rows) == [False] + [True] * 19
    assert len({tuple(made) for _, _, *made in rows}) == 1
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
        body = TaskCreate("Buy bread")
        quotas = {"MAX_TASKS_PER_USER": 2, "MAX_TEXT_PER_USER": 1000}
        working = [
            threads.submit(idempotency.create, database, who, "k", body, quotas) for _ in range(2)
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
    assert sorted(is_replay for *_, [(_, is_replay, *_)] in outcomes) == [False] * 20 + [True] * 20
    assert superuser.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (20,)
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (40,)


def test_parallel_creates_with_keys_stop_exactly_at_their_bound(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    with closing(Database(database_url, connections=8)) as other_process:
        pools = (database, other_process)
        outcomes = at_once(
            20,
            lambda number: pools[number % 2].as_user(who, *create_once(f"k{number}", max_keys=5))[
                -1
            ],
        )
    rows = [row for [row] in outcomes]
    assert sum(room_in is None for *_, room_in in rows) == 5
    assert all(86_390 <= room_in <= 86_400 for *_, room_in in rows if room_in is not None)
    for table in ("idempotency_keys", "tasks"):
        assert superuser.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (5,)
    assert superuser.execute("SELECT tasks FROM task_counts").fetchone() == (5,)


def test_parallel_logins_leave_exactly_as_many_sessions_as_an_account_may_have(
    database_url: str, database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)

    def log_in(number: int) -> str:
        session_id = str(uuid.uuid4())
        pools[number % 2].before_sign_in(
            Call("users/take_turn"),
            Call("sessions/make_room", {"kept": 4}),
            session(session_id),
            user_id=who.user_id,
        )
        return session_id

    with closing(Database(database_url, connections=8)) as other_process:
        pools = (database, other_process)
        started = at_once(20, log_in)
    left = superuser.execute("SELECT id::text FROM sessions").fetchall()
    assert len(left) == 5
    assert {session_id for (session_id,) in left} <= set(started)


def test_a_login_waits_for_another_of_its_account(
    ann: Account, superuser: psycopg.Connection[Any], database_url: str
) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    credentials = {"email": ann.email, "password": ann.password}
    with psycopg.connect(database_url) as other_login, ThreadPoolExecutor(1) as thread:
        take_turn = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        other_login.execute(take_turn, [ann.id])
        login = thread.submit(ann.client.post, "/api/auth/login", json=credentials)
        until(lambda: superuser.execute(waiting).fetchone() == (1,))
        other_login.rollback()
        assert login.result().status_code == 200


def test_a_task_and_its_key_are_there_together_or_not_at_all(
    proxy: Proxy, single: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(single)
    with pytest.raises(StatementFailed):
        single.as_user(who, *create_once("k"), create(""))
    assert single.as_user(who, *create_once("full", max_tasks=1))[-1] != []
    assert single.as_user(who, *create_once("k", max_tasks=1))[-1] == []
    assert superuser.execute("SELECT key FROM idempotency_keys").fetchall() == [("full",)]
    # the answer is lost; that the task was made is found by its key
    proxy.cut_at("tasks/create_once", times=1)
    with pytest.raises(Unavailable):
        single.as_user(who, *create_once("lost"))
    until(lambda: superuser.execute("SELECT FROM idempotency_keys WHERE key = 'lost'").fetchall())
    [(refusal, is_replay, task_id, *_)] = single.as_user(who, *create_once("lost"))[-1]
    assert (refusal, is_replay) == (None, True)
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
        assert database.as_user(who, *create_once("k"))[-1][0][1]
    assert superuser.execute(next_number).fetchone() == before


def test_a_deleted_task_makes_room_under_parallel_creates_and_deletes(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    held = [database.as_user(who, create(max_tasks=10))[0][0] for _ in range(10)]
    assert database.as_user(who, create(max_tasks=10)) == [[]]

    def one(number: int) -> Any:
        if number < 10:
            return database.as_user(who, TURN, delete(held[number].id))
        return database.as_user(who, TURN, create(max_tasks=10))

    outcomes = at_once(20, one)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    created = sum(len(rows) for _, rows in outcomes[10:])
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (created,)
    assert superuser.execute("SELECT tasks FROM task_counts").fetchone() == (created,)


def test_racing_deletes_have_one_winner(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    [[kept]], [[task]] = database.as_user(who, create("kept")), database.as_user(who, create())
    outcomes = at_once(20, lambda _: database.as_user(who, TURN, delete(task.id))[1])
    assert sorted(len(rows) for rows in outcomes) == [0] * 19 + [1]
    assert superuser.execute("SELECT id::text FROM tasks").fetchall() == [(kept.id,)]
    assert superuser.execute("SELECT tasks FROM task_counts").fetchall() == [(1,)]


def test_racing_completions_agree(database: Database) -> None:
    who = sign_up(database)
    [[task]] = database.as_user(who, create())
    call = Call("tasks/complete", {"task_id": task.id}, as_task)
    outcomes = at_once(20, lambda _: database.as_user(who, TURN, call)[1][0])
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
    calls = (
        Call("tasks/complete", {"task_id": task.id}, as_task),
        update(task.id, title="Changed", is_completed=True),
        update(task.id, title="Changed"),
        delete(task.id),
    )
    outcomes = at_once(20, lambda number: database.as_user(who, TURN, calls[number % 4])[1])
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


@pytest.mark.parametrize(
    "title",
    ["", "a" * 501, " a", "a ", "a\x01b", "a\x7fb", "a\x80b", "a\x85b", "a\x9fb"],
    ids=ascii,
)
def test_a_title_that_the_api_refuses_is_refused_by_the_table_too(
    database: Database, superuser: psycopg.Connection[Any], title: str
) -> None:
    who = sign_up(database)
    add = "INSERT INTO tasks (user_id, title) VALUES (%s, %s)"
    superuser.execute(add, [who.user_id, "a\u00a0b"])  # the first character after them
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute(add, [who.user_id, title])


# --- the rate limit ---


def hit(
    database: Database, key: str = "k", cost: int = 1, allowed: int = 5, window: int = 60
) -> list[Any]:
    """Count an attempt as the service does; a row if it was accepted."""
    parameters = {
        "keys": f"{{{key}}}",
        "allowed": f"{{{allowed}}}",
        "cost": cost,
        "window": window,
    }
    turn = Call("before_sign_in/take_rate_limit_turn", {"key": key})
    _, accepted = database.before_sign_in(turn, Call("before_sign_in/hit_rate_limit", parameters))
    return accepted


def used(database: Database, key: str = "k", window: int = 60) -> int:
    call = Call("before_sign_in/read_rate_limit", {"keys": f"{{{key}}}", "window": window})
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
            outcomes = at_once(30, lambda number: hit(pools[number % 2]))
            assert sorted(len(rows) for rows in outcomes) == [0] * (30 - expected) + [1] * expected
            if not expected:
                age(superuser, 61)
    assert used(database) == 5


def test_parallel_hits_of_many_clients_clear_each_others_old_counters_without_deadlock(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(4):
        age(superuser, 120)
        outcomes = at_once(24, lambda number: hit(database, f"client {number % 12}"))
        assert outcomes == [[(True,)]] * 24
        assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (12,)


def test_the_window_moves(database: Database, superuser: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        hit(database)
    age(superuser, 40)
    for _ in range(2):
        assert hit(database) == [(True,)]
    assert hit(database) == []
    age(superuser, 21)  # the first three are out, the other two are not
    assert used(database) == 2
    for _ in range(3):
        assert hit(database) == [(True,)]
    assert hit(database) == []


def test_refused_hits_do_not_prolong_the_wait(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(5):
        hit(database)
    age(superuser, 59)
    for _ in range(10):
        assert hit(database) == []
    age(superuser, 2)
    assert hit(database) == [(True,)]
    assert used(database) == 1


def test_a_hit_of_more_than_one_counts_as_many(database: Database) -> None:
    assert hit(database, cost=4) == [(True,)]
    assert hit(database, cost=2) == []
    assert hit(database, cost=1) == [(True,)]
    assert used(database) == 5


def test_a_first_hit_beyond_the_limit_is_refused(database: Database) -> None:
    assert hit(database, cost=6) == []
    assert used(database) == 0


def test_a_counter_keeps_no_old_hits(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(3):
        hit(database)
    age(superuser, 61)
    hit(database)
    assert superuser.execute("SELECT cardinality(hits) FROM rate_limits").fetchall() == [(1,)]


def test_old_counters_go_in_passing(database: Database, superuser: psycopg.Connection[Any]) -> None:
    for number in range(15):
        hit(database, f"old {number}")
    age(superuser, 61)
    hit(database, "new")
    assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (6,)
    hit(database, "new")
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
