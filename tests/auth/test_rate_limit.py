"""Five attempts a minute for each address: API.md, Accounts."""

import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from todo_api.auth.rate_limit_storage import PostgresStorage
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
        {"data": b"x", "content_type": "text/plain"},
        {"data": b""},
        {"json": []},
        {"data": b"x" * 70_000, "content_type": "application/json"},
    ],
    ids=["400", "415", "empty", "422", "413"],
)
def test_malformed_attempts_count_too_and_429_comes_before_the_body(client, request_):
    assert 429 not in attempts(client, 5, **request_)
    assert attempts(client, 1, **request_) == [429]
    assert attempts(client, 1) == [429]


def test_each_address_has_attempts_of_its_own(client):
    attempts(client, 6)
    client.environ_base["REMOTE_ADDR"] = "192.0.2.1"
    assert attempts(client, 6) == [401] * 5 + [429]


def test_addresses_of_one_ipv6_network_share_theirs(client):
    statuses = []
    for number in range(6):
        client.environ_base["REMOTE_ADDR"] = f"2001:db8:0:1:{number:x}::1"
        statuses += attempts(client, 1)
    assert statuses == [401] * 5 + [429]
    client.environ_base["REMOTE_ADDR"] = "2001:db8:0:2::1"
    assert attempts(client, 1) == [401]


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

    monkeypatch.setattr(PostgresStorage, "get_moving_window", away)
    answer = client.post("/api/auth/login", json=LOGIN)
    assert answer.status_code == 200
    assert "X-RateLimit-Remaining" not in answer.headers


@pytest.fixture
def redis(tmp_path):
    """A redis-server of the test's own, which can be stopped."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            shutil.which("redis-server") or "redis-server",
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            tmp_path,
        ],
        stdout=subprocess.DEVNULL,
        env=os.environ,
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}", server
    server.kill()
    server.wait()


@pytest.mark.programs
def test_redis_can_count_instead(make_app, redis, superuser):
    url, server = redis
    apps = [make_app(auth_rate_limit="5 per minute", ratelimit_storage_uri=url) for _ in range(2)]
    statuses = []
    for app in apps:
        statuses += attempts(app.test_client(), 4)
    assert statuses == [401] * 5 + [429] * 3
    assert superuser.execute("SELECT count(*) FROM rate_limits").fetchall() == [(0,)]
    server.kill()
    server.wait()
    answer = apps[0].test_client().post("/api/auth/login", json=LOGIN)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")


def test_a_request_without_a_limit_runs_nothing_of_the_limiter(app):
    hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    functions = [getattr(one, "func", one) for kind in hooks for one in kind[None]]
    assert [one.__module__.partition(".")[0] for one in functions] == ["todo_api"]
