"""Wrong passwords for one account, from however many addresses: API.md, Accounts."""

import itertools
import logging

import pytest

from support.at_once import at_once
from support.waiting import until
from todo_api.attempts import guesses
from todo_api.auth import passwords
from todo_api.auth.passwords import Hasher, Saturated
from todo_api.database.calls import Unavailable
from todo_api.database.data import Database

pytestmark = pytest.mark.contract
ANN, NOBODY, RIGHT = "ann@example.com", "nobody@example.com", "correct horse battery"
FULL = (429, "rate-limited")


@pytest.fixture
def limited(make_app):
    """An application that looks at three wrong passwords an hour."""
    return make_app(account_guess_limit="3 per hour")


@pytest.fixture
def client(limited):
    return limited.test_client()


def strangers():
    """Addresses from which nobody has signed in."""
    return (f"198.51.{number >> 8}.{number & 255}" for number in itertools.count(1))


def log_in(client, email=ANN, password="a wrong password", address="198.51.100.1"):
    return client.post(
        "/api/auth/login",
        json={"email": email, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )


def statuses(client, count, email=ANN, password="a wrong password", addresses=None):
    addresses = addresses or strangers()
    return [log_in(client, email, password, next(addresses)).status_code for _ in range(count)]


def counters(superuser):
    return superuser.execute(
        "SELECT cardinality(hits), cardinality(in_flight) FROM rate_limits"
        " WHERE key LIKE 'guesses/%' ORDER BY 1"
    ).fetchall()


@pytest.fixture
def looked_at(monkeypatch):
    """The passwords that were looked at."""
    seen, check = [], Hasher.check

    def noted(self, password, stored):
        seen.append(password)
        return check(self, password, stored)

    monkeypatch.setattr(Hasher, "check", noted)
    return seen


@pytest.fixture
def patient(monkeypatch):
    """No password waits for too long, however busy the machine is."""
    monkeypatch.setattr(passwords, "PATIENCE_S", 60)
    monkeypatch.setattr(guesses, "PATIENCE_S", 60)


# --- the limit ---


@pytest.mark.parametrize("email", [ANN, NOBODY])
def test_from_whatever_networks_no_more_than_so_many_wrong_passwords_are_looked_at(
    client, ann, looked_at, email
):
    assert statuses(client, 5, email) == [401] * 3 + [429] * 2
    assert len(looked_at) == 3
    answer = log_in(client, email, RIGHT, "198.51.100.9")
    assert (answer.status_code, answer.json["code"]) == FULL
    assert len(looked_at) == 3  # not even the right one
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600


def test_letter_case_and_white_space_make_no_other_account(client, ann):
    spellings = ["ANN@example.com", " ann@EXAMPLE.com ", "Ann@Example.Com", ANN]
    assert [log_in(client, one).status_code for one in spellings] == [401, 401, 401, 429]


def test_accounts_have_guesses_of_their_own(client, ann, bob):
    assert statuses(client, 4) == [401] * 3 + [429]
    assert statuses(client, 4, "bob@example.com") == [401] * 3 + [429]


def test_the_limit_holds_over_all_processes_and_restarts(make_app, ann):
    addresses, found = strangers(), []
    for _ in range(3):
        client = make_app(account_guess_limit="3 per hour").test_client()
        found += statuses(client, 2, addresses=addresses)
    assert found == [401] * 3 + [429] * 3


@pytest.mark.parametrize("email", [ANN, NOBODY])
def test_of_50_guesses_at_once_from_50_networks_exactly_as_many_are_looked_at(
    make_app, ann, looked_at, patient, email
):
    apps = [make_app(account_guess_limit="20 per hour") for _ in range(3)]

    def guess(number):
        client = apps[number % 3].test_client()
        return log_in(client, email, address=f"203.0.113.{number}").status_code

    assert sorted(at_once(50, guess)) == [401] * 20 + [429] * 30
    assert len(looked_at) == 20


def test_refused_logins_prolong_nothing(client, ann, superuser):
    statuses(client, 3)
    waits = [int(log_in(client).headers["Retry-After"]) for _ in range(5)]
    assert waits == sorted(waits, reverse=True)
    assert counters(superuser) == [(3, 0)]


def test_the_window_moves(client, ann, superuser):
    statuses(client, 3)
    superuser.execute(
        "UPDATE rate_limits SET hits[1] = (hits[1] AT TIME ZONE 'UTC' - interval '1 h') AT TIME ZONE 'UTC',"
        " hits[2] = (hits[2] AT TIME ZONE 'UTC' - interval '40 min') AT TIME ZONE 'UTC'"
    )
    assert statuses(client, 2) == [401, 429]
    assert 1100 < int(log_in(client).headers["Retry-After"]) <= 1200


def test_a_lower_limit_waits_until_there_is_room_under_it(make_app, ann, superuser):
    statuses(make_app(account_guess_limit="3 per hour").test_client(), 3)
    superuser.execute(
        "UPDATE rate_limits SET hits = ARRAY[now() - interval '50 min', now() - interval '30 min', now()]"
        " WHERE cardinality(hits) = 3"
    )
    client = make_app(account_guess_limit="2 per hour").test_client()
    assert 1700 < int(log_in(client).headers["Retry-After"]) <= 1800


# --- what counts for nothing ---


def test_right_passwords_count_for_nothing(client, ann, superuser):
    statuses(client, 2)
    for address in ("192.0.2.7", "192.0.2.8", "2001:db8::1"):
        assert log_in(client, password=RIGHT, address=address).status_code == 200
    assert statuses(client, 2) == [401, 429]
    assert {in_flight for _, in_flight in counters(superuser)} == {0}


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


# --- networks that are known ---


def test_a_network_that_was_signed_in_from_has_guesses_of_its_own(client, ann, looked_at):
    home, office = "192.0.2.20", "2001:db8:1:2::3"
    for address in (home, office):
        assert log_in(client, password=RIGHT, address=address).status_code == 200
    assert statuses(client, 4) == [401] * 3 + [429]
    for address in (home, office, "127.0.0.1"):  # ann signed up from the last
        assert log_in(client, password=RIGHT, address=address).status_code == 200
    elsewhere_in_the_office = (f"2001:db8:1:2:{number:x}::1" for number in range(9))
    assert statuses(client, 4, addresses=elsewhere_in_the_office) == [401] * 3 + [429]
    assert log_in(client, password=RIGHT, address=office).status_code == 429
    assert log_in(client, password=RIGHT, address=home).status_code == 200


def test_an_ipv4_address_inside_an_ipv6_address_is_the_known_one(client, ann):
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == 200
    statuses(client, 4)
    for address in ("::ffff:192.0.2.20", "64:ff9b::c000:214"):
        assert log_in(client, password=RIGHT, address=address).status_code == 200


def test_a_network_that_another_account_knows_is_a_stranger_s(client, ann, bob):
    assert log_in(client, "bob@example.com", RIGHT, "192.0.2.30").status_code == 200
    statuses(client, 3)
    assert log_in(client, password=RIGHT, address="192.0.2.30").status_code == 429


@pytest.mark.parametrize(("days", "status"), [(90, 200), (91, 429)])
def test_a_network_is_known_for_90_days(client, ann, superuser, days, status):
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == 200
    superuser.execute(f"UPDATE sign_in_networks SET seen_on = seen_on - {days}")
    statuses(client, 3)
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == status


def test_a_network_is_written_once_a_day(client, ann, superuser):
    def rows():
        return superuser.execute(
            "SELECT xmin::text, network::text, (now() AT TIME ZONE 'UTC')::date - seen_on"
            " FROM sign_in_networks"
        ).fetchall()

    [(first, network, age)] = rows()
    assert (network, age) == ("127.0.0.1/32", 0)
    for _ in range(3):
        log_in(client, password=RIGHT, address="127.0.0.1")
    assert rows() == [(first, network, 0)]
    superuser.execute("UPDATE sign_in_networks SET seen_on = seen_on - 1")
    log_in(client, password=RIGHT, address="127.0.0.1")
    [(_, _, age)] = rows()
    assert age == 0


def test_a_user_has_at_most_100_networks_and_the_oldest_goes(client, ann, superuser):
    superuser.execute(
        "INSERT INTO sign_in_networks (user_id, network, seen_on)"
        " SELECT user_id, '10.0.0.0'::inet + number, seen_on - number"
        " FROM sign_in_networks CROSS JOIN generate_series(1, 80) AS number"
        " UNION ALL SELECT user_id, '10.0.1.0'::inet + number, seen_on"
        " FROM sign_in_networks CROSS JOIN generate_series(1, 19) AS number"
    )
    for number in range(3):
        assert log_in(client, password=RIGHT, address=f"192.0.2.{number}").status_code == 200
    left = {
        network
        for (network,) in superuser.execute("SELECT host(network) FROM sign_in_networks").fetchall()
    }
    assert len(left) == 100
    assert {f"192.0.2.{number}" for number in range(3)} | {"10.0.0.77", "127.0.0.1"} <= left
    assert not {"10.0.0.78", "10.0.0.79", "10.0.0.80"} & left


def test_a_refused_login_makes_no_network_known(client, ann, superuser):
    statuses(client, 4)
    assert superuser.execute("SELECT host(network) FROM sign_in_networks").fetchall() == [
        ("127.0.0.1",)
    ]


# --- what it tells ---


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


# --- the current password of a signed-in user ---


def test_wrong_current_passwords_count_as_guesses_of_their_network(limited, client, ann):
    def current_password(right, *, known):
        with (
            limited.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.50"}),
            guesses.at_own_account(ANN, known) as guess,
        ):
            if not right:
                limited.extensions["database"].before_sign_in(*guess.was_wrong())

    log_in(client, password=RIGHT, address="192.0.2.50")
    for right in (True, False, True, False, True, False):
        current_password(right, known=True)
    with pytest.raises(Exception, match="rate-limited"):
        current_password(right=True, known=True)
    assert log_in(client, password=RIGHT, address="192.0.2.50").status_code == 429
    assert statuses(client, 1) == [401]
    current_password(right=False, known=False)
    assert statuses(client, 2) == [401, 429]


# --- in a Redis ---


@pytest.fixture
def in_redis(make_app, redis):
    """Makes applications that count in one Redis."""
    url, _ = redis

    def make(limit="3 per hour"):
        return make_app(account_guess_limit=limit, ratelimit_storage_uri=url)

    return make


@pytest.mark.programs
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


@pytest.mark.programs
def test_in_a_redis_right_passwords_count_for_nothing_and_refuse_nobody(in_redis, ann, patient):
    apps = [in_redis("2 per hour") for _ in range(2)]

    def right(number):
        client = apps[number % 2].test_client()
        return log_in(client, password=RIGHT, address=f"203.0.113.{number}").status_code

    assert at_once(16, right) == [200] * 16
    assert statuses(apps[0].test_client(), 3) == [401] * 2 + [429]


@pytest.mark.programs
def test_in_a_redis_a_known_network_has_guesses_of_its_own(in_redis, ann):
    client = in_redis().test_client()
    home = itertools.repeat("192.0.2.20")
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == 200
    assert statuses(client, 4) == [401] * 3 + [429]
    assert statuses(client, 4, addresses=home) == [401] * 3 + [429]


@pytest.mark.programs
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


@pytest.mark.programs
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


@pytest.mark.programs
def test_a_redis_that_is_away_is_503_and_never_no_limit(in_redis, ann, redis, looked_at):
    client = in_redis().test_client()
    _, server = redis
    server.kill()
    server.wait()
    answer = log_in(client, password=RIGHT)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert looked_at == []
