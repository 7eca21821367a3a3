"""A request is one round trip and one transaction, whatever happens in it."""

import gc
import re
import traceback
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import msgspec
import psycopg
import pytest

from support.postgres.proxy import SYNC, Proxy
from support.signed_up import (
    HASH,
    TURN,
    create,
    create_once,
    delete,
    event,
    logout,
    sign_up,
    update,
)
from support.waiting import until
from todo_api.batches import keeping
from todo_api.batches.running import steps
from todo_api.batches.schemas import Batch
from todo_api.database.calls import Call, SessionEnded, SignedIn, StatementFailed, UniqueViolated
from todo_api.database.connection import Connection
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task

pytestmark = [pytest.mark.pooled, pytest.mark.partitioned]
FLUSH = b"H\x00\x00\x00\x04"
LIST = Call("tasks/list", row=as_task)


# --- one request, one round trip ---


def _repeat(call: Call) -> Callable[[Database, SignedIn], list[Call]]:
    return lambda database, who: [call] * 12


def _on_tasks(
    call: Callable[[str], Call], *before: Call
) -> Callable[[Database, SignedIn], list[tuple[Call, ...]]]:
    def calls(database: Database, who: SignedIn) -> list[tuple[Call, ...]]:
        tasks = [database.as_user(who, create())[0][0] for _ in range(12)]
        return [(*before, call(task.id)) for task in tasks]

    return calls


def _each_with_a_key(database: Database, who: SignedIn) -> list[tuple[Call, ...]]:
    return [create_once(f"k{number % 9}") for number in range(12)]


def _batches(database: Database, who: SignedIn) -> list[tuple[Call, ...]]:
    """Of a hundred operations of each kind, every other one with a key."""
    made = [database.as_user(who, create())[0][0].id for _ in range(3)]
    kinds = [
        *[{"op": "create", "title": "x"}] * 48,
        {"op": "create", "title": "x", "id": str(uuid.uuid4())},
        *[{"op": "update", "id": made[0], "title": str(number)} for number in range(48)],
        {"op": "complete", "id": made[1]},
        {"op": "delete", "id": made[2]},
        {"op": "create", "title": "x"},
    ]
    quotas = {"MAX_TASKS_PER_USER": 10_000, "MAX_TEXT_PER_USER": 1_000_000}
    batch = msgspec.convert({"operations": kinds}, Batch)
    planned = steps(batch, quotas)
    found: list[tuple[Call, ...]] = []
    for number in range(6):
        found.append((TURN, *[step.call for step in planned]))
        found.append((TURN, *keeping.calls(keeping.claim_of(f"k{number}", batch, quotas), planned)))
    return found


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param(_batches, id="batch"),
        pytest.param(_repeat(LIST), id="list"),
        pytest.param(_repeat(create()), id="create"),
        pytest.param(_each_with_a_key, id="create once"),
        pytest.param(_on_tasks(lambda one: Call("tasks/get", {"task_id": one})), id="get"),
        pytest.param(_on_tasks(lambda one: update(one, title="x"), TURN), id="update"),
        pytest.param(
            _on_tasks(lambda one: Call("tasks/complete", {"task_id": one}), TURN), id="complete"
        ),
        pytest.param(_on_tasks(delete, TURN), id="delete"),
    ],
)
def test_a_task_call_is_one_round_trip_the_first_and_every_later_time(
    proxy: Proxy, either: Database, calls: Callable[[Database, SignedIn], list[Call]]
) -> None:
    who = sign_up(either)
    for number, call in enumerate(calls(either, who)):
        proxy.flights, proxy.sent = 0, b""
        *_, rows = either.as_user(who, *(call if type(call) is tuple else (call,)))
        if calls is _batches:
            # The server may begin to answer before it has been sent the end, so that flights say nothing. The
            # client asks for no answer before the end.
            assert (proxy.sent.count(SYNC), FLUSH in proxy.sent) == (1, False), f"call {number}"
        else:
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


def test_no_statement_is_prepared_twice_by_one_name_on_a_connection(
    single: Database, proxy: Proxy
) -> None:
    """What follows a failure is not prepared, and PgBouncer takes its name as used all the same."""
    ann, bob = sign_up(single), sign_up(single)
    single.as_user(ann, logout(ann))
    for _ in range(2):
        with pytest.raises(SessionEnded):
            single.as_user(ann, TURN, create())
    single.as_user(bob, TURN, create())
    sent = re.findall(rb"P....([a-z_/0-9 ]+)\0/\* ([a-z_/]+) \*/", proxy.sent, re.DOTALL)
    names = [name for name, _ in sent]
    assert [of for _, of in sent].count(b"tasks/create") == 3
    assert sorted(names) == sorted(set(names))


# --- one request, one transaction ---


def test_a_dead_session_raises_and_nothing_after_it_runs(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    who = sign_up(database)
    database.as_user(who, logout(who))
    with pytest.raises(SessionEnded):
        database.as_user(who, create(), create())
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    assert superuser.execute("SELECT tasks FROM task_counts").fetchone() == (0,)


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


def test_an_answer_that_is_read_while_the_statements_are_sent_is_not_waited_for(
    database: Database,
    database_url: str,
    superuser: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error at the start of a large batch: the server is done as soon as the batch's last byte arrives."""
    who = sign_up(database)
    holder = psycopg.connect(database_url)

    def is_done() -> bool:
        states = superuser.execute(
            "SELECT DISTINCT state FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return states.fetchall() == [("idle",)]

    wait = Connection.wait_for_socket
    seen = []

    def send_all_and_read_all(self: Connection, deadline: float, *, to_write: bool = False) -> None:
        holder.rollback()
        wait(self, deadline, to_write=to_write)
        while to_write and self.pgconn.flush():
            wait(self, deadline, to_write=True)
        if to_write:
            until(is_done)
            seen.append(self)

    monkeypatch.setattr(Connection, "wait_for_socket", send_all_and_read_all)
    notes = "x" * 10_000
    with holder:
        # Before it has this lock, the server reads no more than the start: the socket can't take the rest.
        holder.execute("LOCK TABLE sessions")
        with pytest.raises(StatementFailed):
            database.as_user(who, create(""), *[update(who.user_id, notes=notes)] * 100)
    assert seen


def test_a_refused_call_leaves_nothing_for_the_garbage_collector(database: Database) -> None:
    """An exception that keeps its own frame alive keeps the values of the call alive too."""
    who = sign_up(database)
    gone = SignedIn(who.user_id, str(uuid.uuid4()))
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            with suppress(SessionEnded):
                database.as_user(gone, LIST)
            with suppress(StatementFailed):
                database.as_user(who, create(""))
        left = gc.collect()
    finally:
        gc.enable()
    assert left < 20


def test_parameters_that_a_statement_does_not_have_are_refused(database: Database) -> None:
    who = sign_up(database)
    with pytest.raises(TypeError, match=r"tasks/list\.sql has no parameter user_id"):
        database.as_user(who, Call("tasks/list", {"user_id": str(uuid.uuid4())}))
    with pytest.raises(KeyError, match="notes"):
        database.as_user(who, Call("tasks/create", {"title": "x", "max_tasks": 1}))


@pytest.mark.parametrize(
    "failing",
    [
        create("\x00 a secret title"),  # psycopg refuses
        create(" a secret title"),  # a constraint refuses
        Call("tasks/get", {"task_id": "a secret title"}),  # a type refuses
        create("a secret title", max_tasks=1 << 70),  # out of range
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
