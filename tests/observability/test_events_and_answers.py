"""The auth event in a log line and in the metrics is one that happened."""

import logging
import uuid
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from todo_api.app import LIMITED
from todo_api.observability.series import EVENTS

RIGHT = "correct horse battery"
CALLS: dict[str, Callable[[Account], object]] = {
    "409 a token too many": lambda ann: ann.post(
        f"/api/{ann.id}/tokens", json={"name": "x", "scope": "read"}
    ),
    "404 no such token": lambda ann: ann.delete(f"/api/{ann.id}/tokens/{uuid.uuid4()}"),
    "404 no such session": lambda ann: ann.delete(f"/api/{ann.id}/sessions/{uuid.uuid4()}"),
    "204 no other session": lambda ann: ann.delete(f"/api/{ann.id}/sessions"),
    "409 the address of another": lambda ann: ann.put(
        f"/api/{ann.id}/email", json={"current_password": RIGHT, "email": "bob@example.com"}
    ),
}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str | None]]:
    """The event in the line of each request that the test has made so far."""
    caplog.set_level(logging.INFO, "todo_api.access")

    def told() -> list[str | None]:
        lines = [one for one in caplog.records if one.name == "todo_api.access"]
        return [vars(line)["fields"].get("auth_event") for line in lines]

    return told


@pytest.mark.parametrize("call", CALLS)
def test_what_did_not_happen_is_no_event(
    ann: Account,
    bob: Account,
    superuser: psycopg.Connection[tuple[str]],
    told: Callable[[], list[str | None]],
    call: str,
) -> None:
    superuser.execute(
        "INSERT INTO api_tokens (user_id, id, name, scope)"
        " SELECT %s, gen_random_uuid(), number::text, 'read' FROM generate_series(1, 50) AS number",
        [ann.id],
    )
    before = superuser.execute("SELECT count(*) FROM auth_events").fetchone()
    answer = CALLS[call](ann)
    assert f"{answer.status_code}" == call[:3]  # type: ignore[attr-defined]
    assert told() == [None]
    assert superuser.execute("SELECT count(*) FROM auth_events").fetchone() == before


def test_what_happened_is_one(
    ann: Account, bob: Account, told: Callable[[], list[str | None]]
) -> None:
    token = ann.post(f"/api/{ann.id}/tokens", json={"name": "x", "scope": "read"}).json["data"]
    ann.delete(f"/api/{ann.id}/tokens/{token['id']}")
    ann.client.post("/api/auth/login", json={"email": ann.email, "password": RIGHT})
    ann.delete(f"/api/{ann.id}/sessions")
    ann.get(bob.tasks)
    ann.post("/api/auth/logout")
    assert told() == [
        "token_created", "token_ended", "login", "sessions_ended", "foreign_user", "logout",
    ]  # fmt: skip


def test_the_metrics_know_every_event_of_a_request(
    superuser: psycopg.Connection[tuple[str]],
) -> None:
    [(rule,)] = superuser.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'auth_events_event_known'"
    ).fetchall()
    of_operators = {
        "account_added", "account_invited", "reset_code_made", "account_disabled", "account_enabled",
    }  # fmt: skip
    assert sorted({*EVENTS, *of_operators}) == sorted(rule.split("'")[1::2])


def test_the_routes_with_a_limit_are_those_that_hash(app: Flask) -> None:
    hashing = [name for name, view in app.view_functions.items() if hasattr(view, "hashes")]
    assert sorted(hashing) == sorted(LIMITED)
