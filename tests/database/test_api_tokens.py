"""The transactions of API tokens: read-only where the scope says so, and one write a day at most."""

import uuid
from typing import Any

import psycopg
import pytest

from support.at_once import at_once
from support.postgres.proxy import Proxy
from support.signed_up import create, event, sign_up, with_token
from todo_api.database.calls import ApiClient, Call, ReadOnly, SessionEnded
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task

pytestmark = pytest.mark.pooled
LIST = Call("tasks/list", row=as_task)


def test_the_database_refuses_a_write_of_a_read_token_and_keeps_the_connection(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    client = with_token(database, sign_up(database))
    backends = "SELECT pid FROM pg_stat_activity WHERE application_name = 'todo-api' ORDER BY pid"
    database.as_user(client, LIST)
    before = superuser.execute(backends).fetchall()
    for calls in (
        (create(),),
        (LIST, create()),
        (Call("users/take_turn"), create()),
        (Call("auth_events/record", event(event="logout", bounded=False)),),
        (Call("api_tokens/delete_expired"),),
    ):
        with pytest.raises(ReadOnly):
            database.as_user(client, *calls)
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    assert set(before) <= set(superuser.execute(backends).fetchall())
    assert database.load().errors == {}
    assert database.as_user(client, LIST) == [[]]


def test_nothing_in_the_transaction_makes_it_writable_again(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    client = with_token(database, sign_up(database))
    for way in ("SET transaction_read_only TO off", "SET TRANSACTION READ WRITE"):
        with superuser.transaction(force_rollback=True):
            superuser.execute(
                "SELECT begin_token(%s, %s, 'read')", [client.user_id, client.token_id]
            )
            with pytest.raises(psycopg.Error, match="read-write mode"):
                superuser.execute(way.encode())


@pytest.mark.parametrize("wrong", ["scope", "user", "id", "expired", "ended", "user gone"])
def test_only_a_living_token_of_the_same_user_and_scope_counts(
    database: Database, superuser: psycopg.Connection[Any], wrong: str
) -> None:
    who = sign_up(database)
    client = with_token(database, who)
    if wrong == "scope":
        client = ApiClient(client.user_id, client.token_id, may_write=True)
    elif wrong == "user":
        client = ApiClient(sign_up(database).user_id, client.token_id, may_write=False)
    elif wrong == "id":
        client = ApiClient(client.user_id, str(uuid.uuid4()), may_write=False)
    elif wrong == "expired":
        superuser.execute(
            "UPDATE api_tokens SET created_at = now() - interval '9 s', expires_at = now() - interval '1 s'"
        )
    elif wrong == "ended":
        superuser.execute("DELETE FROM api_tokens")
    else:
        superuser.execute("DELETE FROM users")
    with pytest.raises(SessionEnded):
        database.as_user(client, LIST)


def uses(superuser: psycopg.Connection[Any]) -> list[Any]:
    return superuser.execute(
        "SELECT last_used_on = (now() AT TIME ZONE 'UTC')::date, xmin::text FROM api_tokens"
    ).fetchall()


def test_the_first_use_of_a_day_writes_it_and_the_others_write_nothing(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    client = with_token(database, sign_up(database))
    assert uses(superuser)[0][0] is None
    database.as_user(client, LIST)
    [(is_today, version)] = uses(superuser)
    assert is_today
    for _ in range(5):
        database.as_user(client, LIST)
    assert uses(superuser) == [(True, version)]
    superuser.execute("UPDATE api_tokens SET last_used_on = last_used_on - 1")
    database.as_user(client, LIST)
    assert uses(superuser)[0][0]


def test_of_fifty_first_uses_at_once_one_writes(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    client = with_token(database, sign_up(database))
    # The number of a version of the row on its page: each write makes the next one.
    number = "SELECT split_part(trim(')' FROM ctid::text), ',', 2)::integer FROM api_tokens"
    [(before,)] = superuser.execute(number).fetchall()
    assert at_once(50, lambda _: database.as_user(client, LIST)) == [[[]]] * 50
    assert uses(superuser)[0][0]
    assert superuser.execute(number).fetchall() == [(before + 1,)]


@pytest.mark.parametrize(
    "lock",
    [
        "SELECT FROM api_tokens FOR UPDATE",
        "LOCK TABLE api_tokens IN SHARE MODE",
        "LOCK TABLE api_tokens IN EXCLUSIVE MODE",
    ],
)
def test_a_first_use_does_not_wait_for_a_lock(
    database: Database, database_url: str, superuser: psycopg.Connection[Any], lock: str
) -> None:
    client = with_token(database, sign_up(database))
    with psycopg.connect(database_url) as other:
        other.execute(lock.encode())
        # Waiting for that lock would end in LockNotAvailable, 2 s later: nobody releases it.
        assert database.as_user(client, LIST) == [[]]
        other.rollback()
    assert uses(superuser)[0][0] is None
    database.as_user(client, LIST)
    assert uses(superuser)[0][0]


def test_after_a_first_use_writes_wait_for_locks_as_ever(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    client = with_token(database, sign_up(database))
    with superuser.transaction():
        superuser.execute("SELECT begin_token(%s, %s, 'read')", [client.user_id, client.token_id])
        assert superuser.execute("SHOW lock_timeout").fetchone() == ("2s",)


def test_a_request_with_a_token_is_one_round_trip_the_first_and_every_later_time(
    proxy: Proxy, either: Database
) -> None:
    who = sign_up(either)
    for scope in ("read", "write"):
        client = with_token(either, who, scope)
        for _ in range(4):
            proxy.flights = 0
            either.as_user(client, LIST)
            assert proxy.flights == 1
