"""What answers, events, keys and round trips tell of an account, and what they keep to themselves."""

import logging

import pytest

from support.guessing import ANN, NOBODY, RIGHT, log_in, statuses
from todo_api.attempts import guesses
from todo_api.auth.passwords import Hasher, Saturated
from todo_api.database.data import Database

pytestmark = pytest.mark.contract


def told(answer):
    """All of an answer but what is a request's own."""
    ours = answer.json | {"request_id": ""}
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("X-Request-ID", "Date", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    }
    return answer.status_code, ours, headers


def test_an_unknown_email_is_answered_like_a_known_one(client, ann):
    for _ in range(5):
        known, unknown = told(log_in(client)), told(log_in(client, NOBODY))
        # two requests may see another second
        waits = [int(headers.pop("Retry-After", 0)) for *_, headers in (known, unknown)]
        assert abs(waits[0] - waits[1]) <= 1
        assert known == unknown
    assert known[0] == 429


def test_a_login_takes_no_round_trip_for_its_guess(client, ann, monkeypatch):
    trips, run = [], Database._run

    def noted(self, user_id, opening, calls):
        trips.append([call.name for call in calls])
        return run(self, user_id, opening, calls)

    monkeypatch.setattr(Database, "_run", noted)
    for password, settled_with in (
        (RIGHT, {"sessions/create", "before_sign_in/take_back_guess"}),
        ("a wrong password", {"before_sign_in/record_event", "before_sign_in/settle_guess"}),
    ):
        trips.clear()
        log_in(client, password=password)
        attempt, looked, settled, left = map(set, trips)
        assert "before_sign_in/hit_rate_limit" in attempt
        assert looked == {"before_sign_in/count_guess"}
        assert settled_with <= settled
        assert left == {"before_sign_in/read_rate_limit"}


@pytest.mark.parametrize("password", ["a wrong password", RIGHT])
def test_an_unknown_email_takes_as_many_round_trips_as_a_known_one(
    client, ann, monkeypatch, password
):
    trips, run = [], Database._run

    def noted(self, user_id, opening, calls):
        trips.append([call.name for call in calls])
        return run(self, user_id, opening, calls)

    statuses(client, 3)
    statuses(client, 3, NOBODY)
    monkeypatch.setattr(Database, "_run", noted)
    seen = []
    for email in (ANN, NOBODY):
        assert log_in(client, email, password).status_code == 429
        seen.append(list(trips))
        trips.clear()
    assert seen[0] == seen[1]


def test_the_event_says_that_it_was_no_limit_of_an_address(client, ann, superuser):
    statuses(client, 4)
    statuses(client, 4, NOBODY)
    found = superuser.execute(
        "SELECT reason, user_id::text FROM auth_events WHERE event = 'rate_limited' ORDER BY id"
    ).fetchall()
    assert found == [(guesses.EVENT_REASON, ann.id), (guesses.EVENT_REASON, None)]


def test_no_counter_names_an_address(client, ann, superuser):
    statuses(client, 2)
    log_in(client, password=RIGHT, address="192.0.2.20")
    log_in(client, address="192.0.2.20")
    keys = [key for (key,) in superuser.execute("SELECT key FROM rate_limits").fetchall()]
    keys = [key for key in keys if key.startswith("guesses/")]
    assert len(set(keys)) == 2
    assert all(len(key) == len("guesses/") + 64 for key in keys)
    assert not any("ann" in key or "192.0.2" in key for key in keys)


def test_another_secret_makes_other_keys(make_app, ann, superuser):
    for number in range(2):
        app = make_app(account_guess_limit="3 per hour", jwt_secret=f"{number}" * 32)
        assert statuses(app.test_client(), 4) == [401] * 3 + [429]


def test_both_limits_together_name_the_longer_wait(make_app, ann):
    client = make_app(auth_rate_limit="2 per day", account_guess_limit="1 per hour").test_client()
    waits = [log_in(client) for _ in range(3)]
    assert [answer.status_code for answer in waits] == [401, 429, 429]
    assert [int(answer.headers["Retry-After"]) > 80_000 for answer in waits[1:]] == [True, True]
    client = make_app(auth_rate_limit="9 per day", account_guess_limit="1 per hour").test_client()
    assert int(log_in(client, address="203.0.113.77").headers["Retry-After"]) <= 3600


def test_a_database_that_goes_away_while_a_guess_is_taken_back_is_logged(
    client, ann, superuser, monkeypatch, caplog
):
    def gone(*_):
        superuser.execute("ALTER TABLE rate_limits RENAME TO put_away")
        raise Saturated

    monkeypatch.setattr(Hasher, "check", gone)
    try:
        with caplog.at_level(logging.WARNING):
            status = log_in(client).status_code
    finally:
        superuser.execute("ALTER TABLE put_away RENAME TO rate_limits")
    assert status == 503
    assert "a guess stays counted" in caplog.text
