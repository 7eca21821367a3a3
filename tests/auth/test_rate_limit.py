"""Five attempts a minute for each address: API.md, Accounts."""

import json
import threading
from ipaddress import ip_address

import pytest

from support.at_once import at_once
from todo_api.attempts.storage import PostgresStorage
from todo_api.database.calls import Unavailable

pytestmark = pytest.mark.contract
LOGIN = {"email": "ann@example.com", "password": "correct horse battery"}


@pytest.fixture
def client(make_app):
    return make_app(auth_rate_limit="5 per minute").test_client()


def attempts(client, count, path="/api/auth/login", **request):
    request = request or {"json": LOGIN}
    return [client.post(path, **request).status_code for _ in range(count)]


def test_five_attempts_pass_and_the_sixth_is_429(client):
    for path, passed in (
        ("/api/auth/signup", [201, 409, 409, 409, 409]),
        ("/api/auth/login", [200] * 5),
    ):
        assert attempts(client, 5, path) == passed
        answer = client.post(path, json=LOGIN)
        assert (answer.status_code, answer.json["code"]) == (429, "rate-limited")
        assert 0 < int(answer.headers["Retry-After"]) <= 60
        assert answer.headers["X-RateLimit-Remaining"] == "0"


def test_the_answers_count_down(client):
    answers = [client.post("/api/auth/login", json=LOGIN) for _ in range(6)]
    assert [answer.headers["X-RateLimit-Limit"] for answer in answers] == ["5"] * 6
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == [
        "4",
        "3",
        "2",
        "1",
        "0",
        "0",
    ]
    assert all(0 < int(answer.headers["X-RateLimit-Reset"]) <= 60 for answer in answers)
    assert [name for name, _ in answers[0].headers if name == "Retry-After"] == []


@pytest.mark.parametrize(
    "request_",
    [
        {"data": b"{", "content_type": "application/json"},
        {"data": b"", "content_type": "application/json"},
        {"json": LOGIN, "headers": {"Content-Encoding": "gzip"}},
        {"json": []},
        {"data": b"x" * 70_000, "content_type": "application/json"},
    ],
    ids=["400", "empty", "compressed", "422", "413"],
)
def test_malformed_attempts_count_too_and_429_comes_before_the_body(client, request_):
    assert 429 not in attempts(client, 5, **request_)
    assert attempts(client, 1, **request_) == [429]
    assert attempts(client, 1) == [429]


# What a page of another origin can send without asking first (the first five), and relatives of it
NOT_JSON = [
    "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain; application/json", "text/plain, application/json", "application/json, text/plain",
    "application/jsonp",
    "application/ld+json", "application/json; charset=latin-1", "application", ";application/json", "", None,
]  # fmt: skip


@pytest.mark.parametrize("path", ["/api/auth/signup", "/api/auth/login", "/api/auth/reset"])
def test_what_is_not_called_json_is_no_attempt(client, path):
    body = json.dumps(LOGIN).encode()
    for content_type in NOT_JSON:
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = client.post(path, data=body, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported-media-type")
        assert not [name for name in dict(answer.headers) if name.startswith("X-RateLimit")]
    assert attempts(client, 5, path).count(429) == 0
    assert attempts(client, 1, path) == [429]
    # also when the attempts are used up
    assert client.post(path, data=body, content_type="text/plain").status_code == 415


def test_each_address_has_attempts_of_its_own(client):
    attempts(client, 6)
    client.environ_base["REMOTE_ADDR"] = "192.0.2.1"
    assert attempts(client, 6) == [401] * 5 + [429]


def from_each(client, addresses):
    """The status of an attempt from each of these addresses."""
    statuses = []
    for address in addresses:
        client.environ_base["REMOTE_ADDR"] = address
        statuses += attempts(client, 1)
    return statuses


def test_addresses_of_one_ipv6_network_share_theirs(client):
    assert from_each(client, [f"2001:db8:0:1:{number:x}::1" for number in range(6)]) == (
        [401] * 5 + [429]
    )
    assert from_each(client, ["2001:db8:0:2::1"]) == [401]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "elsewhere", "passed"),
    [("2001:db8:0:1{:02x}::1", "2001:db8:0:200::1", 20), ("2001:db8:1:{:x}00::1", "2001:db8:2::1", 80)],
    ids=["/56", "/48"],
)  # fmt: skip
def test_the_networks_inside_a_wider_one_share_its_attempts_too(client, network, elsewhere, passed):
    statuses = from_each(client, map(network.format, range(passed + 2)))
    assert statuses == [401] * passed + [429] * 2
    assert from_each(client, [elsewhere]) == [401]


def test_an_attempt_that_one_network_refuses_counts_in_none(client, superuser):
    def hits():
        found = superuser.execute(
            "SELECT key, cardinality(hits) FROM rate_limits WHERE key NOT LIKE 'guesses/%'"
        ).fetchall()
        return {key.split("LIMITER/")[1].split("/auth")[0]: count for key, count in found}

    from_each(client, ["2001:db8:0:1::1"] * 9)
    assert hits() == {"2001:db8:0:1::/64": 5, "2001:db8::/56": 5, "2001:db8::/48": 5}
    from_each(client, [f"2001:db8:0:{number:x}::1" for number in range(2, 30)])
    assert hits()["2001:db8::/56"] == 20
    assert sum(count for network, count in hits().items() if network.endswith("/64")) == 20
    assert hits()["2001:db8::/48"] == 20


def test_the_answer_tells_of_the_network_where_the_least_is_left(client):
    from_each(client, [f"2001:db8:0:{number:x}::1" for number in range(17)])
    client.environ_base["REMOTE_ADDR"] = "2001:db8:0:ff::1"
    answers = [client.post("/api/auth/login", json=LOGIN) for _ in range(4)]
    told = [
        (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"])
        for answer in answers
    ]
    assert told == [("20", "2"), ("20", "1"), ("20", "0"), ("20", "0")]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert 0 < int(answers[3].headers["Retry-After"]) <= 60
    client.environ_base["REMOTE_ADDR"] = "2001:db8:0:100::1"
    answer = client.post("/api/auth/login", json=LOGIN)
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == (
        ("5", "4")
    )


@pytest.mark.parametrize(
    "own",
    ["::ffff:{}", "64:ff9b::{}", "2002:{hex}::1", "2002:{hex}:7::9", "2001:0:4136:e378:8000:63bf:{inverse}"],
)  # fmt: skip
def test_an_ipv4_address_inside_an_ipv6_address_counts_as_itself(client, own):
    def written(text):
        number = int(ip_address(text))
        groups = [f"{n >> 16:04x}:{n & 0xFFFF:04x}" for n in (number, number ^ 0xFFFF_FFFF)]
        return own.format(text, hex=groups[0], inverse=groups[1])

    assert from_each(client, ["192.0.2.1"] * 3 + [written("192.0.2.1")] * 3) == [401] * 5 + [429]
    assert from_each(client, [written(f"192.0.2.{number}") for number in range(2, 12)]) == (
        [401] * 10
    )


def test_of_parallel_attempts_from_a_wider_network_exactly_as_many_pass(make_app):
    apps = [make_app(auth_rate_limit="1 per minute") for _ in range(2)]

    def attempt(number):
        client = apps[number % 2].test_client()
        client.environ_base["REMOTE_ADDR"] = f"2001:db8:0:{number // 2:x}::1"
        return attempts(client, 1)[0]

    assert sorted(at_once(24, attempt)) == [401] * 4 + [429] * 20


def test_the_limit_holds_over_all_processes_and_restarts(make_app):
    statuses = []
    for _ in range(3):
        statuses += attempts(make_app(auth_rate_limit="5 per minute").test_client(), 2)
    assert statuses == [401] * 5 + [429]


def test_of_parallel_attempts_exactly_five_pass(make_app):
    apps = [make_app(auth_rate_limit="5 per minute") for _ in range(2)]
    statuses = []
    threads = [
        threading.Thread(target=lambda app=app: statuses.extend(attempts(app.test_client(), 1)))
        for app in apps * 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 5 + [429] * 15


def test_the_window_moves(client, superuser):
    attempts(client, 6)
    superuser.execute("UPDATE rate_limits SET hits[1] = hits[1] - interval '1 minute'")
    assert attempts(client, 2) == [401, 429]


def test_a_preflight_and_a_wrong_method_are_no_attempts(client):
    for _ in range(6):
        client.options("/api/auth/login")
        assert client.get("/api/auth/login").status_code == 405
    assert attempts(client, 1) == [401]


def test_tasks_are_not_limited(client, ann):
    assert {ann.get(ann.tasks).status_code for _ in range(20)} == {200}


def test_a_storage_that_is_away_is_503_and_never_no_limit(make_app, superuser):
    client = make_app(auth_rate_limit="5 per minute").test_client()
    superuser.execute("ALTER TABLE rate_limits RENAME TO rate_limits_gone")
    try:
        answer = client.post("/api/auth/login", json=LOGIN)
    finally:
        superuser.execute("ALTER TABLE rate_limits_gone RENAME TO rate_limits")
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("limit", "window_s"), [("1 per 2 seconds", 2), ("1 per hour", 3600), ("1 per 2 days", 172800)]
)
def test_the_wait_is_that_of_the_window(make_app, limit, window_s):
    client = make_app(auth_rate_limit=limit).test_client()
    client.post("/api/auth/login", json=LOGIN)
    answer = client.post("/api/auth/login", json=LOGIN)
    assert answer.status_code == 429
    wait_s = int(answer.headers["Retry-After"])
    assert window_s / 2 <= wait_s <= window_s
    assert answer.headers["X-RateLimit-Reset"] == answer.headers["Retry-After"]


def test_a_database_that_goes_away_once_an_attempt_is_counted_changes_no_answer(
    make_app, ann, superuser, monkeypatch
):
    client = make_app(auth_rate_limit="5 per minute").test_client()

    def away(*_):
        raise Unavailable("gone")

    monkeypatch.setattr(PostgresStorage, "read", away)
    answer = client.post("/api/auth/login", json=LOGIN)
    assert answer.status_code == 200
    assert "X-RateLimit-Remaining" not in answer.headers


@pytest.mark.programs
def test_redis_can_count_instead(make_app, redis, superuser):
    url, server = redis
    apps = [make_app(auth_rate_limit="5 per minute", ratelimit_storage_uri=url) for _ in range(2)]
    statuses = []
    for app in apps:
        statuses += attempts(app.test_client(), 4)
    assert statuses == [401] * 5 + [429] * 3
    assert superuser.execute("SELECT count(*) FROM rate_limits").fetchall() == [(0,)]
    assert from_each(
        apps[0].test_client(), [f"2001:db8:0:{number:x}::1" for number in range(22)]
    ) == ([401] * 20 + [429] * 2)
    server.kill()
    server.wait()
    answer = apps[0].test_client().post("/api/auth/login", json=LOGIN)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")


def test_a_request_without_a_limit_runs_nothing_of_the_limiter(app):
    hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    functions = [getattr(one, "func", one) for kind in hooks for one in kind[None]]
    assert [one.__module__.partition(".")[0] for one in functions] == ["todo_api"]
