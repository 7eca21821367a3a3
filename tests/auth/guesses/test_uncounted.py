"""Attempts that are no wrong guess count for nothing."""

import pytest

from support.at_once import at_once
from support.guessing import ANN, RIGHT, counters, log_in, statuses
from todo_api.attempts import guesses
from todo_api.auth.passwords import Hasher, Saturated
from todo_api.database.calls import Unavailable
from todo_api.database.data import Database

pytestmark = pytest.mark.contract


def test_right_passwords_count_for_nothing(client, ann, superuser):
    statuses(client, 2)
    for address in ("192.0.2.7", "192.0.2.8", "2001:db8::1"):
        assert log_in(client, password=RIGHT, address=address).status_code == 200
    assert statuses(client, 2) == [401, 429]
    assert {in_flight for _, in_flight in counters(superuser)} == {0}


@pytest.mark.slow
def test_right_passwords_at_once_refuse_nobody(make_app, ann, patient):
    apps = [make_app(account_guess_limit="2 per hour") for _ in range(2)]

    def right(number):
        client = apps[number % 2].test_client()
        return log_in(client, password=RIGHT, address=f"203.0.113.{number}").status_code

    assert at_once(16, right) == [200] * 16


@pytest.mark.parametrize(
    "request_",
    [
        {"data": b"{", "content_type": "application/json"},
        {"json": {"email": ANN, "password": "short"}},
        {"json": {"email": ANN}},
        {"json": {"email": ANN, "password": "a wrong password", "more": 1}},
        {"data": b"x", "content_type": "text/plain"},
    ],
    ids=["400", "too short", "missing", "unknown field", "415"],
)
def test_malformed_bodies_count_for_nothing(client, ann, superuser, request_):
    before = counters(superuser)
    for _ in range(5):
        assert client.post("/api/auth/login", **request_).status_code in (400, 415, 422)
    assert counters(superuser) == before
    assert statuses(client, 4) == [401] * 3 + [429]


def test_a_password_that_nobody_could_look_at_counts_for_nothing(client, ann, monkeypatch):
    def busy(*_):
        raise Saturated

    with monkeypatch.context() as patched:
        patched.setattr(Hasher, "check", busy)
        assert statuses(client, 5) == [503] * 5
    assert statuses(client, 4) == [401] * 3 + [429]


def test_a_login_that_fails_after_a_right_password_counts_for_nothing(client, ann, monkeypatch):
    run = Database._run

    def without_sessions(self, user_id, opening, calls):
        if any(call.name == "sessions/create" for call in calls):
            raise Unavailable("gone")
        return run(self, user_id, opening, calls)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "_run", without_sessions)
        assert statuses(client, 5, password=RIGHT) == [503] * 5
    assert statuses(client, 4) == [401] * 3 + [429]


def test_a_guess_of_a_process_that_was_killed_counts(client, ann, superuser):
    statuses(client, 1)
    superuser.execute(
        "UPDATE rate_limits SET hits = array_fill(now() - interval '31 s', ARRAY[3]),"
        " in_flight = array_fill(now() - interval '31 s', ARRAY[2]) WHERE cardinality(hits) = 1"
    )
    assert statuses(client, 1) == [429]


def test_while_a_guess_may_be_right_nobody_is_told_that_there_were_too_many(
    make_app, ann, monkeypatch
):
    client = make_app(account_guess_limit="1 per hour").test_client()
    monkeypatch.setattr(guesses, "PATIENCE_S", 0.1)
    check, answers = Hasher.check, []

    def slowly(self, password, stored):
        answers.append(log_in(client, password="another one", address="203.0.113.1"))
        return check(self, password, stored)

    with monkeypatch.context() as patched:
        patched.setattr(Hasher, "check", slowly)
        assert log_in(client, password=RIGHT).status_code == 200
    [meanwhile] = answers
    assert (meanwhile.status_code, meanwhile.json["code"]) == (503, "unavailable")
    assert log_in(client, address="203.0.113.2").status_code == 401
