"""Through PgBouncer in transaction mode: nothing of one client reaches another."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from support.at_once import at_once
from support.live_service import live_service
from support.postgres.pgbouncer import PgBouncer, pgbouncer
from support.postgres.server import a_server
from support.signed_up import create, sign_up
from todo_api.database.calls import Call, Unavailable
from todo_api.database.data import Database
from todo_api.upkeep.migrate import MigrationError, migrate

pytestmark = pytest.mark.programs

LIST = Call("tasks/list")
REQUESTS = 1000  # of each user
RECOVERY_S = 10
HIT = Call(  # writes, so it is not asked again
    "before_sign_in/hit_rate_limit",
    {"keys": "{k}", "cost": 1, "allowed": "{1000}", "window": 60},
)
FOUND = (
    "SELECT current_user::text, current_setting('role'), current_setting('app.user_id', true),"
    " current_setting('statement_timeout'), current_setting('lock_timeout')"
)
NOTHING = [("todo", "none", None, "0", "0"), ("todo", "none", "", "0", "0")]


@pytest.fixture(scope="module")
def narrow(postgres: str) -> Iterator[PgBouncer]:
    """One server connection for everybody."""
    with pgbouncer(postgres, pool_size=1) as running:
        yield running


@pytest.fixture
def pooled_app(
    make_app: Callable[..., Flask], narrow: PgBouncer, database_url: str
) -> Callable[[], Flask]:
    """Makes applications that share the one server connection, as two service processes would."""
    return lambda: make_app(
        database_url=narrow.url(database_url), prepared_statements=narrow.prepares
    )


def seen_in_parallel(
    apps: list[Flask], stranger: psycopg.Connection[Any], requests: int
) -> tuple[list[Any], list[Any]]:
    """What two users, `requests` times each, and a stranger in between saw that was not theirs."""
    ann, bob = (
        Account(app.test_client(), f"{name}@example.com", "correct horse battery")
        for app, name in zip(apps, ("ann", "bob"), strict=True)
    )
    own = {}
    for user in (ann, bob):
        for number in range(3):
            user.add(f"{user.email} {number}")
        own[user.id] = user.get(user.tasks).json["data"]
    done = threading.Event()
    foreign: list[Any] = []
    found: list[Any] = []

    def ask(number: int) -> None:
        # Alternating, and in opposite order: each of the two keeps meeting the other.
        for turn in range(requests):
            user = (ann, bob)[(turn + number) % 2]
            task = own[user.id][turn % 3]
            path = user.tasks if turn % 4 < 2 else user.path_of(task)
            expected = own[user.id] if turn % 4 < 2 else task
            with apps[number].test_client() as client:
                answer = client.get(path, headers={"Authorization": f"Bearer {user.token}"})
            if answer.status_code != 200 or answer.json["data"] != expected:
                foreign.append(answer.text)

    def look() -> None:
        while not done.is_set():
            found.append(stranger.execute(FOUND).fetchone())

    with ThreadPoolExecutor(3) as threads:
        looking = threads.submit(look)
        try:
            list(threads.map(ask, (0, 1)))
        finally:
            done.set()
        looking.result()
    found.append(stranger.execute(FOUND).fetchone())
    assert len(found) > 10
    return foreign, [row for row in found if row not in NOTHING]


@pytest.fixture
def stranger(narrow: PgBouncer, database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Another client of the pool, which sets nothing."""
    url = narrow.url(database_url)
    with closing(psycopg.connect(url, autocommit=True, prepare_threshold=None)) as connection:
        yield connection


def test_two_users_on_one_server_connection_never_meet(
    pooled_app: Callable[[], Flask],
    stranger: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
) -> None:
    assert seen_in_parallel([pooled_app(), pooled_app()], stranger, REQUESTS) == ([], [])
    sessions = superuser.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert sessions.fetchone() == (1,)  # or they would have had no chance to


def test_a_setting_for_the_session_would_be_found(
    pooled_app: Callable[[], Flask],
    stranger: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
) -> None:
    """The test above can fail."""
    [(definition,)] = superuser.execute(
        "SELECT pg_get_functiondef('begin_request(uuid)'::regprocedure)"
    ).fetchall()
    assert ", true)" in definition
    superuser.execute(definition.replace(", true)", ", false)"))
    _, found = seen_in_parallel([pooled_app(), pooled_app()], stranger, 20)
    assert any(role == "todo_app" and user for role, _, user, *_ in found)


def test_migrating_through_it_is_refused_and_leaves_no_lock(
    narrow: PgBouncer, empty_database_url: str
) -> None:
    for _ in range(2):
        with pytest.raises(MigrationError, match="transaction mode: set MIGRATE_URL to a direct"):
            migrate(narrow.url(empty_database_url))
    with psycopg.connect(empty_database_url) as connection:
        held = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert held.fetchone() == (0,)
    assert migrate(empty_database_url)


def test_migrating_through_one_in_session_mode_is_fine(empty_database_url: str) -> None:
    with pgbouncer(empty_database_url, pool_mode="session") as running:
        assert migrate(running.url(empty_database_url))


def test_it_is_served_with_a_direct_connection_for_migrations(
    narrow: PgBouncer, empty_database_url: str, tmp_path: Path
) -> None:
    settings = {
        "MIGRATE_URL": empty_database_url,
        "PREPARED_STATEMENTS": str(narrow.prepares).lower(),
    }
    with (
        live_service(narrow.url(empty_database_url), tmp_path, **settings) as service,
        httpx.Client(base_url=service.url, timeout=20) as client,
    ):
        account = {"email": "ann@example.com", "password": "correct horse battery"}
        assert client.post("/api/auth/signup", json=account).status_code == 201
        for _ in range(8):
            assert client.post("/api/auth/login", json=account).status_code == 200


def test_a_server_lost_behind_it_is_unavailable_and_used_again_when_it_is_back() -> None:
    with a_server() as server:
        server.make()
        server.start()
        migrate(server.url)
        with (
            pgbouncer(server.url) as running,
            closing(
                Database(
                    running.url(server.url), connections=2, prepared_statements=running.prepares
                )
            ) as database,
        ):
            database.before_sign_in(HIT)
            server.kill()
            for _ in range(3):
                with pytest.raises(Unavailable):
                    database.before_sign_in(HIT)
            server.start()
            deadline = time.monotonic() + RECOVERY_S
            while not served(database):
                assert time.monotonic() < deadline, running.log()
                time.sleep(0.05)


@pytest.mark.parametrize("pool_size", [1, 3])
def test_forgotten_settings_for_prepared_statements_cost_no_request(
    database_url: str, caplog: pytest.LogCaptureFixture, pool_size: int
) -> None:
    with (
        pgbouncer(database_url, pool_size=pool_size, keeps_track=False) as forgetful,
        closing(Database(forgetful.url(database_url), connections=4)) as one,
        closing(Database(forgetful.url(database_url), connections=4)) as other,
    ):
        ann, bob = sign_up(one), sign_up(other)

        def ask(number: int) -> list[int]:
            database, who = ((one, ann), (other, bob))[number % 2]
            return [len(database.as_user(who, create(max_tasks=1000), LIST)) for _ in range(30)]

        assert at_once(8, ask) == [[2] * 30] * 8
        assert [len(one.as_user(ann, LIST)[0]), len(other.as_user(bob, LIST)[0])] == [120, 120]
    told = [line.message for line in caplog.records if "PREPARED_STATEMENTS=false" in line.message]
    assert len(told) in (1, 2)  # once for each process, as these two stand for


def test_the_service_goes_on_without_preparing_and_says_what_to_set(
    database_url: str, tmp_path: Path
) -> None:
    with (
        pgbouncer(database_url, pool_size=2, keeps_track=False) as forgetful,
        live_service(
            forgetful.url(database_url), tmp_path, MIGRATE_URL=database_url, WORKERS="2"
        ) as service,
        httpx.Client(base_url=service.url, timeout=20) as client,
    ):
        account = {"email": "ann@example.com", "password": "correct horse battery"}
        data = client.post("/api/auth/signup", json=account).json()["data"]
        headers = {"Authorization": f"Bearer {data['access_token']}"}
        path = f"/api/{data['user_id']}/tasks"
        for number in range(40):
            answer = client.post(path, json={"title": f"{number}"}, headers=headers)
            assert answer.status_code == 201, answer.text
        assert len(client.get(path, headers=headers).json()["data"]) == 40
        assert 1 <= service.log().count("PREPARED_STATEMENTS=false") <= 2  # one of each worker


def served(database: Database) -> bool:
    try:
        database.before_sign_in(HIT)
    except Unavailable:
        return False
    return True
