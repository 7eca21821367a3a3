"""Housekeeping: what has expired goes by itself once an hour, or at once by `todo-api prune`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.at_once import at_once
from support.live_service import live_service
from support.signed_up import HASH, create_once, sign_up
from support.waiting import until
from todo_api.database.data import Database
from todo_api.upkeep import housekeeping
from todo_api.upkeep.housekeeping import SWEEPS, Housekeeper, PruneError, prune

pytestmark = [pytest.mark.pooled, pytest.mark.partitioned]
Superuser = psycopg.Connection[Any]
KINDS = tuple(SWEEPS)

# A row that has expired and one that has not quite, for a user; {n} makes them others.
EXPIRED = {
    "sessions": (
        "INSERT INTO sessions SELECT user_id, gen_random_uuid(), now() - interval '25 hours',"
        " now() - interval '1 second' FROM users, generate_series(1, {n}) WHERE email !~ '^code'"
    ),
    "api_tokens": (
        "INSERT INTO api_tokens SELECT user_id, gen_random_uuid(), 'old', 'read',"
        " now() - interval '25 hours', now() - interval '1 second' FROM users, generate_series(1, {n})"
    ),
    "idempotency_keys": (
        "INSERT INTO idempotency_keys SELECT user_id, 'old-' || one, sha256(''), gen_random_uuid(),"
        " now() - interval '24 hours 1 second' FROM users, generate_series(1, {n}) AS one"
        " WHERE email !~ '^code'"
    ),
    "batch_results": (
        "INSERT INTO batch_results SELECT user_id, 'old', one, '[]',"
        " now() - interval '24 hours 61 seconds' - one * interval '1 ms'"
        " FROM users, generate_series(1, {n}) AS one WHERE email !~ '^code'"
    ),
    "sign_in_networks": (
        "INSERT INTO sign_in_networks SELECT user_id, '10.0.0.0'::inet + one,"
        " (now() AT TIME ZONE 'UTC')::date - 91 FROM users, generate_series(1, {n}) AS one"
    ),
    "deleted_tasks": (
        "INSERT INTO deleted_tasks SELECT user_id, gen_random_uuid(), one,"
        " now() - interval '30 days 1 second' FROM users, generate_series(1, {n}) AS one"
    ),
    "rate_limits": (
        "INSERT INTO rate_limits SELECT 'old-' || one, '{{}}', now() - interval '1 second'"
        " FROM generate_series(1, {n}) AS one"
    ),
    "auth_events": (
        "INSERT INTO auth_events (occurred_at, event, user_id, address, request_id)"
        " SELECT now() - interval '90 days 1 minute', 'login', user_id, '::1', 'old'"
        " FROM users, generate_series(1, {n}) WHERE email !~ '^code'"
    ),
    # one a user, so each has a user of its own
    "reset_codes": (
        "WITH made AS (INSERT INTO users"
        " SELECT gen_random_uuid(), 'code' || gen_random_uuid() || '@example.com',"
        f" '{HASH}' FROM generate_series(1, {{n}}) RETURNING user_id)"
        " INSERT INTO reset_codes SELECT user_id, sha256(''), now() - interval '1 second' FROM made"
    ),
    "invites": (
        "INSERT INTO invites SELECT sha256(uuid_send(gen_random_uuid())), NULL, now() - interval '1 second'"
        " FROM generate_series(1, {n})"
    ),
}
LIVING = {
    "sessions": (
        "INSERT INTO sessions SELECT user_id, gen_random_uuid(), now() - interval '23 hours',"
        " now() + interval '1 hour' FROM users"
    ),
    "api_tokens": (
        "INSERT INTO api_tokens SELECT user_id, gen_random_uuid(), 'good', 'read', now() - interval '9 days',"
        " CASE number WHEN 1 THEN now() + interval '1 hour' END FROM users, generate_series(1, 2) AS number"
    ),
    "idempotency_keys": (
        "INSERT INTO idempotency_keys SELECT user_id, 'good', sha256(''), gen_random_uuid(),"
        " now() - interval '23 hours' FROM users"
    ),
    "batch_results": (
        "INSERT INTO batch_results SELECT user_id, 'good', 0, '[]', now() - interval '24 hours' FROM users"
    ),
    "sign_in_networks": (
        "INSERT INTO sign_in_networks"
        " SELECT user_id, '10.9.9.9', (now() AT TIME ZONE 'UTC')::date - 90 FROM users"
    ),
    "deleted_tasks": (
        "INSERT INTO deleted_tasks SELECT user_id, gen_random_uuid(), 1,"
        " now() - interval '29 days' FROM users"
    ),
    "rate_limits": "INSERT INTO rate_limits VALUES ('good', '{}', now() + interval '1 hour')",
    "auth_events": (
        "INSERT INTO auth_events (occurred_at, event, user_id, address, request_id)"
        " SELECT now() - interval '89 days', 'login', user_id, '::1', 'young' FROM users"
    ),
    "reset_codes": "INSERT INTO reset_codes SELECT user_id, sha256(''), now() + interval '1 hour' FROM users",
    "invites": "INSERT INTO invites VALUES (sha256(''), NULL, now() + interval '1 hour')",
}


@pytest.fixture
def database(service_url: str, prepared_statements: bool) -> Iterator[Database]:
    with closing(
        Database(service_url, connections=4, prepared_statements=prepared_statements)
    ) as database:
        yield database


@pytest.fixture
def rows(database: Database, superuser: Superuser) -> Callable[[], dict[str, int]]:
    """One user's rows of each kind, of which the first have not expired; counts them."""
    sign_up(database)
    for statement in LIVING.values():
        superuser.execute(statement.encode())

    def rows() -> dict[str, int]:
        counted = (superuser.execute(f"SELECT count(*) FROM {kind}".encode()) for kind in KINDS)
        return {kind: cursor.fetchall()[0][0] for kind, cursor in zip(KINDS, counted, strict=True)}

    return rows


def let_expire(superuser: Superuser, count: int = 1, *kinds: str) -> None:
    for kind in kinds or KINDS:
        superuser.execute(EXPIRED[kind].format(n=count).encode())


def an_hour_passes(superuser: Superuser) -> None:
    superuser.execute("UPDATE housekeeping SET swept_at = swept_at - interval '1 hour'")


# --- what goes ---


def test_what_has_expired_goes_and_nothing_else(
    database: Database, superuser: Superuser, rows: Callable[[], dict[str, int]]
) -> None:
    left = rows()
    let_expire(superuser, 3)
    assert rows() == {kind: count + 3 for kind, count in left.items()}
    assert Housekeeper(database, 90).look()
    assert rows() == left


@pytest.mark.slow
def test_a_lot_goes_in_batches_each_a_transaction_of_its_own(
    database: Database, superuser: Superuser, rows: Callable[[], dict[str, int]]
) -> None:
    left = rows()
    let_expire(superuser, 2500)  # at one moment, even
    removed: list[tuple[str, int]] = []
    Housekeeper(database, 90, lambda kind, count: removed.append((kind, count))).look()
    assert rows() == left
    assert removed == [(kind, count) for kind in KINDS for count in (1000, 1000, 500)]


def test_keys_of_a_user_who_never_came_back_go(database: Database, superuser: Superuser) -> None:
    who = sign_up(database)
    for number in range(12):
        database.as_user(who, *create_once(f"k{number}"))
    superuser.execute("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
    Housekeeper(database, 90).look()
    assert superuser.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (0,)
    assert superuser.execute("SELECT count(*) FROM tasks").fetchone() == (12,)


@pytest.mark.parametrize(("days", "left"), [(0, 4), (1, 1), (30, 2), (36_500, 4)])
def test_events_are_kept_for_as_many_days_as_is_set(
    database: Database, superuser: Superuser, days: int, left: int
) -> None:
    for age in (0.9, 29, 100, 3000):
        superuser.execute(
            "INSERT INTO auth_events (occurred_at, event, address, request_id)"
            " VALUES (now() - %s * interval '1 day', 'login', '::1', 'r')",
            [age],
        )
    Housekeeper(database, days).look()
    assert superuser.execute("SELECT count(*) FROM auth_events").fetchone() == (left,)


def test_an_event_goes_though_younger_ones_stand_before_it(
    database: Database, superuser: Superuser
) -> None:
    sign_up(database)
    for statement in (*[LIVING["auth_events"]] * 3, EXPIRED["auth_events"].format(n=1500)):
        superuser.execute(statement.encode())
    Housekeeper(database, 90).look()
    assert superuser.execute("SELECT count(*) FROM auth_events").fetchone() == (3,)


# --- once an hour, by one of all ---


def test_of_two_services_one_sweeps_and_only_once_an_hour(
    service_url: str, prepared_statements: bool, database: Database, superuser: Superuser
) -> None:
    with closing(
        Database(service_url, connections=1, prepared_statements=prepared_statements)
    ) as other:
        one, two = Housekeeper(database, 90), Housekeeper(other, 90)
        assert [one.look(), two.look(), one.look()] == [True, False, False]
        let_expire(superuser, 1, "rate_limits")
        assert not two.look()
        assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (1,)
        an_hour_passes(superuser)
        assert [two.look(), one.look()] == [True, False]
        assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (0,)


def test_of_many_that_look_at_once_one_sweeps(database: Database, superuser: Superuser) -> None:
    for _ in range(5):  # as many as have a connection at once
        looks = at_once(4, lambda number: Housekeeper(database, 90).look())
        assert sorted(looks) == [False] * 3 + [True]
        an_hour_passes(superuser)


def test_a_clock_that_was_set_back_does_not_stop_the_sweeps(
    database: Database, superuser: Superuser
) -> None:
    assert Housekeeper(database, 90).look()
    superuser.execute("UPDATE housekeeping SET swept_at = now() + interval '1 year'")
    assert Housekeeper(database, 90).look()


# --- what goes wrong is logged, and ends nothing ---


def test_a_row_that_a_request_holds_is_left_and_the_others_go(
    database: Database,
    database_url: str,
    superuser: Superuser,
    rows: Callable[[], dict[str, int]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    left = rows()
    let_expire(superuser)
    with psycopg.connect(database_url) as request:
        request.execute("SELECT FROM sessions WHERE expires_at < now() FOR UPDATE")
        assert Housekeeper(database, 90).look()
        request.rollback()
    assert rows() == left | {"sessions": left["sessions"] + 1}
    assert "not all expired rows of sessions were removed: LockNotAvailable" in caplog.text
    an_hour_passes(superuser)
    Housekeeper(database, 90).look()
    assert rows() == left


def test_without_a_statement_s_function_the_other_kinds_go(
    database: Database,
    superuser: Superuser,
    rows: Callable[[], dict[str, int]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    left = rows()
    let_expire(superuser)
    superuser.execute("DROP FUNCTION sweep_idempotency_keys")
    assert Housekeeper(database, 90).look()
    assert rows() == left | {"idempotency_keys": left["idempotency_keys"] + 1}
    assert "rows of idempotency_keys were removed: UndefinedFunction (42883)" in caplog.text


def test_without_a_database_it_waits_for_the_next_look(
    superuser: Superuser, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    superuser.execute("ALTER TABLE housekeeping RENAME TO put_away")
    assert not Housekeeper(database, 90).look()
    assert "housekeeping has to wait: UndefinedTable" in caplog.text
    superuser.execute("ALTER TABLE put_away RENAME TO housekeeping")
    assert Housekeeper(database, 90).look()


def test_what_was_removed_is_logged(
    database: Database, superuser: Superuser, caplog: pytest.LogCaptureFixture
) -> None:
    let_expire(superuser, 2, "rate_limits")
    with caplog.at_level(logging.INFO):
        Housekeeper(database, 90).look()
    said = (
        "housekeeping removed sessions: 0, api_tokens: 0, idempotency_keys: 0, batch_results: 0, "
        "sign_in_networks: 0, deleted_tasks: 0, rate_limits: 2, auth_events: 0, reset_codes: 0, invites: 0"
    )
    assert caplog.messages == [said]


# --- by itself ---


@pytest.mark.slow
def test_a_service_sweeps_soon_after_its_start_and_stops_at_once(
    database_url: str, superuser: Superuser, tmp_path: Path
) -> None:
    let_expire(superuser, 5, "rate_limits")
    with live_service(database_url, tmp_path, WORKERS="2") as service:
        until(lambda: "housekeeping removed" in service.log())
        service.process.terminate()
        assert service.process.wait(timeout=30) == 0
        assert service.log().count("housekeeping removed") == 1
        assert "Traceback" not in service.log()
    assert superuser.execute("SELECT count(*) FROM rate_limits").fetchone() == (0,)


# --- todo-api prune ---


@pytest.fixture
def command(todo_api_on: Callable[..., int]) -> Callable[..., int]:
    """Runs `todo-api prune`; its exit status."""
    return partial(todo_api_on, "prune")


@pytest.mark.slow
def test_the_command_removes_at_once_and_says_what(
    command: Callable[..., int],
    database: Database,
    superuser: Superuser,
    rows: Callable[[], dict[str, int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = rows()
    assert Housekeeper(database, 90).look()  # it does not wait for the hour
    for number, kind in enumerate(KINDS):
        let_expire(superuser, 1500 + number, kind)
    assert command("--events-days", "0") == 0
    assert rows() == left | {"auth_events": left["auth_events"] + 1507}
    assert command() == 0
    assert rows() == left
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("database: ")] == [
        (
            "removed sessions: 1500, api_tokens: 1501, idempotency_keys: 1502, batch_results: 1503, "
            "sign_in_networks: 1504, deleted_tasks: 1505, rate_limits: 1506, auth_events: 0, "
            "reset_codes: 1508, invites: 1509"
        ),
        (
            "removed sessions: 0, api_tokens: 0, idempotency_keys: 0, batch_results: 0, sign_in_networks: 0, "
            "deleted_tasks: 0, rate_limits: 0, auth_events: 1507, reset_codes: 0, invites: 0"
        ),
    ]


def test_the_login_that_serves_may_prune(
    database_url: str, superuser: Superuser, rows: Callable[[], dict[str, int]], service: str
) -> None:
    left = rows()
    let_expire(superuser)
    assert prune(service, 90) == dict.fromkeys(KINDS, 1)
    assert rows() == left


@pytest.fixture
def service(database_url: str, admin: Superuser) -> Iterator[str]:
    """The URL of a login that has nothing but todo_app."""
    admin.execute("CREATE ROLE prunes LOGIN IN ROLE todo_app")
    yield make_conninfo(database_url, user="prunes")
    admin.execute("DROP ROLE prunes")


def test_the_command_tries_again_what_a_request_holds_for_a_moment(
    database_url: str,
    superuser: Superuser,
    rows: Callable[[], dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = rows()
    let_expire(superuser)
    with psycopg.connect(database_url) as request:
        request.execute("SELECT FROM sessions WHERE expires_at < now() FOR UPDATE")
        # the pause after the first try: the others have gone by then, and the request ends
        seen = []
        monkeypatch.setattr(
            housekeeping, "_pause", lambda: (seen.append(rows()), request.rollback())
        )
        assert prune(database_url, 90) == dict.fromkeys(KINDS, 1)
        assert seen == [left | {"sessions": left["sessions"] + 1}]
    assert rows() == left


@pytest.mark.slow
def test_the_command_says_what_is_left_because_it_is_held_and_removes_the_rest(
    command: Callable[..., int],
    database_url: str,
    superuser: Superuser,
    rows: Callable[[], dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(housekeeping, "_pause", lambda: None)
    left = rows()
    let_expire(superuser)
    with psycopg.connect(database_url) as request:
        request.execute("SELECT FROM sessions WHERE expires_at < now() FOR UPDATE")
        request.execute("SELECT FROM invites WHERE expires_at < now() FOR UPDATE")
        assert command() == 1
        request.rollback()
    kept = {kind: left[kind] + 1 for kind in ("sessions", "invites")}
    assert rows() == left | kept
    said = capsys.readouterr().err
    assert "Left are sessions, invites: LockNotAvailable (55P03). Something holds rows" in said
    assert "migrate" not in said
    assert "Removed sessions: 0, api_tokens: 1, " in said
    assert command() == 0
    assert rows() == left


def test_the_command_removes_the_rest_without_a_statement_s_function(
    database_url: str, superuser: Superuser, rows: Callable[[], dict[str, int]]
) -> None:
    left = rows()
    let_expire(superuser)
    superuser.execute("DROP FUNCTION sweep_idempotency_keys")
    with pytest.raises(PruneError, match=r"Left are idempotency_keys: .*42883.*todo-api migrate"):
        prune(database_url, 90)
    assert rows() == left | {"idempotency_keys": left["idempotency_keys"] + 1}


def test_a_database_without_the_schema_is_named_as_the_reason(empty_database_url: str) -> None:
    with pytest.raises(PruneError, match="todo-api migrate"):
        prune(empty_database_url, 90)


def test_a_database_that_is_not_there_is_named_as_the_reason() -> None:
    with pytest.raises(PruneError, match="port 1 failed"):
        prune("postgresql://nobody@127.0.0.1:1/none", 90)


# --- the service's role and the owner of the functions can do no more ---


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sweep_sessions(2147483647)",
        "SELECT sweep_idempotency_keys(2147483647)",
        "SELECT sweep_auth_events(90, 2147483647)",
        "SELECT sweep_sessions(NULL), sweep_idempotency_keys(NULL), sweep_auth_events(90, NULL)",
        "SELECT sweep_sessions(-1)",
        "DELETE FROM auth_events",
        "DELETE FROM sessions",
        "DELETE FROM idempotency_keys",
    ],
)
def test_the_service_s_role_removes_nothing_that_lives(
    superuser: Superuser, rows: Callable[[], dict[str, int]], sql: str
) -> None:
    left = rows()
    with suppress(psycopg.Error), superuser.transaction():
        superuser.execute("SELECT begin_request(NULL)")
        superuser.execute(sql.encode())
    assert rows() == left


def test_the_last_day_s_events_stay_whoever_asks(
    superuser: Superuser, rows: Callable[[], dict[str, int]]
) -> None:
    superuser.execute("UPDATE auth_events SET occurred_at = now() - interval '23 hours'")
    left = rows()
    for days in (1, 0, -1, -36_500):
        with superuser.transaction():
            superuser.execute("SELECT begin_request(NULL)")
            superuser.execute("SELECT sweep_auth_events(%s, 1000)", [days])
    assert rows() == left


def test_the_functions_owner_can_delete_keys_and_events_only_when_they_are_old(
    superuser: Superuser, rows: Callable[[], dict[str, int]]
) -> None:
    superuser.execute("UPDATE auth_events SET occurred_at = now()")
    left = rows()
    let_expire(superuser, 2, "idempotency_keys", "auth_events")
    with superuser.transaction():
        superuser.execute("SET LOCAL ROLE todo_auth")
        superuser.execute("DELETE FROM idempotency_keys")
        superuser.execute("DELETE FROM auth_events")
    assert rows() == left


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT key FROM idempotency_keys",
        "SELECT user_id FROM idempotency_keys",
        "UPDATE idempotency_keys SET created_at = created_at",
        "SELECT address FROM auth_events",
        "UPDATE auth_events SET occurred_at = occurred_at",
        "SELECT created_at FROM sessions",
        "UPDATE sessions SET expires_at = now()",
        "SELECT id FROM tasks",
        "DELETE FROM tasks",
        "UPDATE users SET email = email",
        "UPDATE task_counts SET tasks = 0",
        "SELECT FROM rate_limits",
        "SELECT FROM housekeeping",
        "TRUNCATE auth_events",
    ],
)
def test_the_functions_owner_can_neither_read_nor_change_them(
    superuser: Superuser, sql: str
) -> None:
    superuser.execute("SET ROLE todo_auth")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        superuser.execute(sql.encode())


def test_a_swept_deletion_is_remembered_by_its_revision(
    database: Database, superuser: Superuser
) -> None:
    ann, bob = sign_up(database), sign_up(database)
    superuser.execute("UPDATE task_counts SET revision = 9, deletions = 3")
    for who in (ann, bob):
        superuser.execute(
            "INSERT INTO deleted_tasks SELECT %s, gen_random_uuid(), one, now() - one * interval '10 days'"
            " FROM generate_series(2, 4) AS one",
            [who.user_id],
        )
    superuser.execute(
        "UPDATE deleted_tasks SET deleted_at = now() WHERE user_id = %s", [bob.user_id]
    )
    assert Housekeeper(database, 90).look()
    found = superuser.execute(
        "SELECT user_id::text, forgotten_revision, deletions FROM task_counts"
    ).fetchall()
    assert set(found) == {(ann.user_id, 4, 1), (bob.user_id, 0, 3)}
    kept = "SELECT revision FROM deleted_tasks WHERE user_id = %s"
    assert superuser.execute(kept, [ann.user_id]).fetchall() == [(2,)]
