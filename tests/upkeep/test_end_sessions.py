"""`todo-api end-sessions`: every token is refused at once, and each user's events say why."""

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.conninfo import make_conninfo

from support.accounts import Account
from support.waiting import until
from todo_api.upkeep.asking import place_of
from todo_api.upkeep.end_sessions import EndError, end_sessions
from todo_api.upkeep.migrate import migrate

_numbers = itertools.count(1)


def test_all_tokens_are_refused_at_once_and_a_login_gives_a_new_one(
    client: FlaskClient,
    ann: Account,
    bob: Account,
    database_url: str,
    figure: Callable[[int, str, str], None],
) -> None:
    for account in (ann, bob):  # verified, and remembered by the process
        assert account.get(account.tasks).status_code == 200
    assert end_sessions(database_url) == (2, 2)
    for account in (ann, bob):
        answer = account.get(account.tasks)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
        credentials = {"email": account.email, "password": account.password}
        account.token = client.post("/api/auth/login", json=credentials).json["data"][
            "access_token"
        ]
        assert account.get(account.tasks).status_code == 200
    figure(5, "`todo-api end-sessions`: tokens of before; of after", "refused; accepted")


def test_of_one_user_all_sessions_end_and_nobody_elses(
    client: FlaskClient, ann: Account, bob: Account, database_url: str
) -> None:
    credentials = {"email": ann.email, "password": ann.password}
    second = client.post("/api/auth/login", json=credentials).json["data"]["access_token"]
    assert end_sessions(database_url, " Ann@Example.COM ") == (2, 1)
    assert ann.get(ann.tasks).status_code == 401
    ann.token = second
    assert ann.get(ann.tasks).status_code == 401
    assert bob.get(bob.tasks).status_code == 200
    assert end_sessions(database_url, ann.email) == (0, 0)


def test_a_sign_in_counts_once_and_ends_with_all_its_renewals(
    ann: Account, database_url: str
) -> None:
    tokens = [ann.token]
    for _ in range(2):
        ann.token = ann.post("/api/auth/renew").json["data"]["access_token"]
        tokens.append(ann.token)
    assert end_sessions(database_url) == (1, 1)
    for ann.token in tokens:
        assert ann.get(ann.tasks).status_code == 401


def test_no_renewal_that_is_under_way_survives(
    ann: Account, database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    """A renewal holds the session's row, and the command waits for it without seeing the new session."""
    with ThreadPoolExecutor(1) as threads:
        with psycopg.connect(database_url) as renewal:
            renewal.execute("UPDATE sessions SET expires_at = expires_at")  # as sessions/end_soon
            renewal.execute(
                "INSERT INTO sessions (user_id, id, expires_at, sign_in_id)"
                " SELECT user_id, gen_random_uuid(), expires_at, id FROM sessions"
            )
            ended = threads.submit(end_sessions, database_url)
            waits = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            until(lambda: superuser.execute(waits).rowcount)
        assert ended.result() == (1, 1)
    assert superuser.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


def test_it_is_done_again_after_a_deadlock_with_a_request(
    ann: Account, bob: Account, database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    """The request holds a session that the command waits for, and asks for one that the command holds."""
    order = "SELECT user_id FROM sessions ORDER BY ctid"
    first, last = (user for (user,) in superuser.execute(order).fetchall())
    with ThreadPoolExecutor(1) as threads:
        with psycopg.connect(database_url) as request:
            # It is the command that looks for a deadlock, and so the one that loses it.
            request.execute("SET LOCAL deadlock_timeout = '1h'")
            held = "SELECT FROM sessions WHERE user_id = %s FOR UPDATE"
            request.execute(held, [last])
            ended = threads.submit(end_sessions, database_url)
            waits = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            until(lambda: superuser.execute(waits).rowcount)
            request.execute(held, [first])
        assert ended.result() == (2, 2)
    for account in (ann, bob):
        assert account.get(account.tasks).status_code == 401


def test_it_is_recorded_as_a_logout_of_each_user(
    client: FlaskClient,
    ann: Account,
    bob: Account,
    database_url: str,
    superuser: psycopg.Connection[Any],
) -> None:
    client.post("/api/auth/login", json={"email": ann.email, "password": ann.password})
    bob.post("/api/auth/logout")
    superuser.execute("DELETE FROM auth_events")
    end_sessions(database_url)
    rows = superuser.execute(
        "SELECT event, reason, user_id::text, host(address), user_agent, request_id FROM auth_events"
    ).fetchall()
    [(*event, request_id)] = rows
    assert event == ["logout", "by the operator", ann.id, "127.0.0.1", None]
    assert str(uuid.UUID(request_id)) == request_id


def test_sessions_that_had_expired_do_not_count(
    ann: Account, bob: Account, database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(
        "UPDATE sessions SET created_at = now() - interval '25 h', expires_at = now() - interval '1 h'"
        " WHERE user_id = %s",
        [bob.id],
    )
    assert end_sessions(database_url) == (1, 1)


@pytest.mark.parametrize("email", ["nobody@example.com", "%", "", "ann"])
def test_an_address_without_an_account_ends_nothing(
    ann: Account, database_url: str, email: str
) -> None:
    with pytest.raises(EndError, match="address"):
        end_sessions(database_url, email)
    assert ann.get(ann.tasks).status_code == 200


Login = Callable[..., str]


@pytest.fixture
def login(
    template: str, empty_database_url: str, admin: psycopg.Connection[Any]
) -> Iterator[Login]:
    """Makes a login that is no superuser, on a server that has the service's roles; its URL."""
    made = []

    def login(attributes: str) -> str:
        made.append(f"ends_sessions_{next(_numbers)}")
        admin.execute(f"CREATE ROLE {made[-1]} LOGIN {attributes}")
        return make_conninfo(empty_database_url, user=made[-1])

    yield login
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER")
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


@pytest.mark.slow
def test_the_login_that_migrates_may_and_the_one_that_serves_may_not(
    login: Login, empty_database_url: str, admin: psycopg.Connection[Any]
) -> None:
    owner, service = login("CREATEROLE"), login("")
    name = psycopg.conninfo.conninfo_to_dict(owner)["user"]
    database = psycopg.conninfo.conninfo_to_dict(empty_database_url)["dbname"]
    admin.execute(f"GRANT todo_app, todo_auth TO {name}")
    admin.execute(f"ALTER DATABASE {database} OWNER TO {name}")
    migrate(owner)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            f"GRANT CONNECT ON DATABASE {database}"
            f" TO {psycopg.conninfo.conninfo_to_dict(service)['user']}"
        )
        connection.execute(
            f"GRANT todo_app TO {psycopg.conninfo.conninfo_to_dict(service)['user']}"
        )
        connection.execute(
            "WITH one AS (INSERT INTO users (user_id, email, password_hash)"
            f" VALUES (gen_random_uuid(), 'ann@example.com', '$2b$04${'a' * 53}') RETURNING user_id)"
            " INSERT INTO sessions SELECT user_id, gen_random_uuid(), now(), now() + interval '1 h' FROM one"
        )
    with pytest.raises(EndError, match=r'^the database refused: .*"todo_auth".*MIGRATE_URL'):
        end_sessions(service)
    assert end_sessions(owner) == (1, 1)


@pytest.fixture
def command(todo_api_on: Callable[..., int]) -> Callable[..., int]:
    """Runs `todo-api end-sessions`; its exit status."""
    return partial(todo_api_on, "end-sessions")


@pytest.mark.slow
def test_the_command_says_how_many_and_where(
    command: Callable[..., int],
    ann: Account,
    bob: Account,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command("--user", ann.email) == 0
    assert command() == 0
    assert command("--user", "nobody@example.com") == 1
    shown = capsys.readouterr()
    where = re.escape(place_of(database_url))
    assert re.fullmatch(rf"(ended sessions: 1, of users: 1\ndatabase: {where}\n){{2}}", shown.out)
    assert shown.err == (
        f"todo-api: there is no account with this address in the database {place_of(database_url)}\n"
    )
