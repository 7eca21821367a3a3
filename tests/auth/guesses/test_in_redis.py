"""The same limit, counted in a Redis."""

import itertools

import pytest

from support.at_once import at_once
from support.guessing import ANN, FULL, NOBODY, RIGHT, counters, log_in, statuses
from support.waiting import until
from todo_api.auth.passwords import Hasher, Saturated

pytestmark = [pytest.mark.contract, pytest.mark.programs]


@pytest.fixture
def in_redis(make_app, redis):
    """Makes applications that count in one Redis."""
    url, _ = redis

    def make(limit="3 per hour"):
        return make_app(account_guess_limit=limit, ratelimit_storage_uri=url)

    return make


@pytest.mark.parametrize("email", [ANN, NOBODY])
def test_a_redis_counts_as_exactly(in_redis, ann, superuser, looked_at, patient, email):
    apps = [in_redis("20 per hour") for _ in range(2)]

    def guess(number):
        client = apps[number % 2].test_client()
        return log_in(client, email, address=f"203.0.113.{number}").status_code

    assert sorted(at_once(50, guess)) == [401] * 20 + [429] * 30
    assert len(looked_at) == 20
    answer = log_in(apps[0].test_client(), email, RIGHT)
    assert (answer.status_code, answer.json["code"]) == FULL
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert len(looked_at) == 20
    assert counters(superuser) == []


def test_in_a_redis_right_passwords_count_for_nothing_and_refuse_nobody(in_redis, ann, patient):
    apps = [in_redis("2 per hour") for _ in range(2)]

    def right(number):
        client = apps[number % 2].test_client()
        return log_in(client, password=RIGHT, address=f"203.0.113.{number}").status_code

    assert at_once(16, right) == [200] * 16
    assert statuses(apps[0].test_client(), 3) == [401] * 2 + [429]


def test_in_a_redis_a_known_network_has_guesses_of_its_own(in_redis, ann):
    client = in_redis().test_client()
    home = itertools.repeat("192.0.2.20")
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == 200
    assert statuses(client, 4) == [401] * 3 + [429]
    assert statuses(client, 4, addresses=home) == [401] * 3 + [429]


def test_in_a_redis_a_password_that_nobody_could_look_at_counts_for_nothing(
    in_redis, ann, monkeypatch
):
    def busy(*_):
        raise Saturated

    client = in_redis().test_client()
    with monkeypatch.context() as patched:
        patched.setattr(Hasher, "check", busy)
        assert statuses(client, 5) == [503] * 5
    assert statuses(client, 4) == [401] * 3 + [429]


def test_in_a_redis_the_window_moves_and_its_keys_name_nobody(in_redis, ann, redis):
    from redis import Redis

    client = in_redis("2 per 2 seconds").test_client()
    assert statuses(client, 3) == [401] * 2 + [429]
    with Redis.from_url(redis[0]) as connection:
        keys = list(connection.scan_iter("*guesses/*"))
        assert len(keys) == 1
        assert b"ann" not in keys[0]
    until(lambda: statuses(client, 1) == [401])
    with Redis.from_url(redis[0]) as connection:
        until(lambda: not list(connection.scan_iter("*guesses/*")))


def test_a_redis_that_is_away_is_503_and_never_no_limit(in_redis, ann, redis, looked_at):
    client = in_redis().test_client()
    _, server = redis
    server.kill()
    server.wait()
    answer = log_in(client, password=RIGHT)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert looked_at == []
