"""A change of the account waits for its user's turn, and the session that asks for it ends meanwhile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from support.waiting import until

pytestmark = pytest.mark.contract
RIGHT = "correct horse battery"
CALLS: dict[str, Callable[[Account], Any]] = {
    "password": lambda ann: ann.put(
        f"/api/{ann.id}/password",
        json={"current_password": RIGHT, "new_password": "staple battery horse"},
    ),
    "email": lambda ann: ann.put(
        f"/api/{ann.id}/email", json={"current_password": RIGHT, "email": "new@example.com"}
    ),
    "deletion": lambda ann: ann.post(f"/api/{ann.id}/deletion", json={"current_password": RIGHT}),
}
TURN = (
    "SELECT pg_advisory_xact_lock(hashtextextended(user_id::text, 0::bigint)) FROM users"
    " WHERE user_id = %s"
)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"


@pytest.mark.parametrize("call", CALLS)
def test_it_is_401_and_nothing_is_changed(
    ann: Account, app: Flask, superuser: psycopg.Connection[Any], call: str
) -> None:
    other = ann.client.post("/api/auth/login", json={"email": ann.email, "password": RIGHT})
    with psycopg.connect(superuser.info.dsn) as holder, ThreadPoolExecutor(1) as thread:
        holder.execute(TURN, [ann.id])
        answer = thread.submit(CALLS[call], ann)
        until(lambda: superuser.execute(WAITING).fetchone() == (1,))
        holder.execute("DELETE FROM sessions WHERE id = %s", [ann.session_id])
        holder.commit()
        refused = answer.result()
    assert (refused.status_code, refused.json["code"]) == (401, "unauthorized")
    ann.token = other.json["data"]["access_token"]  # another session, which lives on
    account = ann.get(f"/api/{ann.id}").json["data"]
    assert account["email"] == ann.email
    login = ann.client.post("/api/auth/login", json={"email": ann.email, "password": RIGHT})
    assert login.status_code == 200
    events = superuser.execute("SELECT event FROM auth_events ORDER BY id").fetchall()
    assert events == [("signup",), ("login",), ("token_refused",), ("login",)]
