"""What every answer has: the problem shape, request ids, security headers, CORS."""

import re
import uuid

import pytest

from support.watched import had_a_bug

pytestmark = pytest.mark.contract
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id"}
ORIGIN = "https://app.example.com"


def check_problem(answer, status, code):
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    extra = {"errors"} if status == 422 else set()
    assert answer.json.keys() == PROBLEM | extra
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["type"] == f"/problems#{code}"
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def test_an_unknown_route_is_a_404_problem(client, ann):
    for path in (
        "/nope",
        "/api",
        "/api/auth/nope",
        f"{ann.tasks}/",
        f"{ann.tasks}/x/y",
        "/api//tasks",
        "/docs/",
    ):
        answer = client.get(path)
        check_problem(answer, 404, "not-found")
        assert answer.json["instance"] == path


def test_the_instance_is_a_valid_reference_whatever_the_path_holds(client):
    answer = client.get("/nope/%00%0A<ü>%F0%9F%98%80")
    assert re.fullmatch(r"[\x21-\x7e]+", answer.json["instance"])


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_a_wrong_method_is_405_with_or_without_a_token(client, ann, method):
    for call in (client.open, lambda path, method: ann.call(method, path)):
        answer = call(ann.tasks, method=method)
        check_problem(answer, 405, "method-not-allowed")
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_a_401_names_the_scheme(client, ann):
    for answer in (
        client.get(ann.tasks),
        client.post("/api/auth/login", json={"email": "a@b.cd", "password": "wrong password"}),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_bug_is_a_500_problem_that_tells_nothing_from_the_inside(make_app, caplog, watched):
    app = make_app()

    @app.get("/bug")
    def bug():
        raise RuntimeError("secret inside")

    answer = app.test_client().get("/bug")
    check_problem(answer, 500, "internal-error")
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert any(record.exc_info for record in caplog.records)
    had_a_bug(watched)


@pytest.mark.slow
def test_a_database_that_is_away_is_a_503_problem_with_retry_after(config, make_app):
    app = make_app(database_url="postgresql://127.0.0.1:1/nowhere")
    client = app.test_client()
    for answer in (
        client.post("/api/auth/login", json={"email": "a@b.cd", "password": "correct horse"}),
        client.post("/api/auth/signup", json={"email": "a@b.cd", "password": "correct horse"}),
    ):
        check_problem(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/health/live").json == {"status": "ok"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json) == (503, {"status": "unavailable"})
    assert int(ready.headers["Retry-After"]) > 0


def test_health_is_plain(client):
    for path in ("/health/live", "/health/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "sent", ["a", "A-z_0.9", "x" * 128, "3a1c7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"]
)
def test_a_fit_request_id_is_the_clients_own(client, ann, sent):
    ann_answer = ann.get(ann.tasks, headers={"X-Request-ID": sent})
    assert ann_answer.headers["X-Request-ID"] == ann_answer.json["meta"]["request_id"] == sent
    problem = client.get("/nope", headers={"X-Request-ID": sent})
    assert problem.headers["X-Request-ID"] == problem.json["request_id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "a b", "x" * 129, "ü", "a;b", "<script>", "a,b", "../x"])
def test_an_unfit_request_id_is_replaced_by_a_new_uuid(client, sent):
    got = client.get("/nope", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert str(uuid.UUID(got)) == got


PATHS = ["/", "/docs", "/redoc", "/problems", "/openapi.json", "/health/live", "/health/ready", "/nope",
         "/static/docs.js", "/api/x/tasks", "/api/auth/login"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_security_headers(client, path):
    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        answer = client.open(path, method=method)
        answer.close()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';")
        assert "base-uri 'none'" in policy  # default-src does not stand in for it
        assert "unsafe-eval" not in policy
        assert answer.headers["X-Request-ID"]
        assert "Strict-Transport-Security" not in answer.headers
        assert "Server" not in answer.headers


def test_api_answers_are_never_stored_unless_tasks_are_read(client, ann):
    task = ann.add()
    for answer in (
        ann.post(ann.tasks, json={"title": "x"}), ann.put(ann.path_of(task), json={"title": "x"}),
        ann.patch(f"{ann.path_of(task)}/complete"), ann.delete(ann.path_of(task)), ann.get(ann.path_of(task)),
        client.get(ann.tasks), client.get("/nope"), client.get("/health/ready"),
        client.post("/api/auth/login"),
    ):  # fmt: skip
        assert answer.headers["Cache-Control"] == "no-store"


def test_hsts_is_sent_over_https(client):
    answer = client.get("/health/live", base_url="https://todo.example.com")
    name, _, seconds = answer.headers["Strict-Transport-Security"].partition("=")
    assert (name, int(seconds) >= 365 * 24 * 60 * 60) == ("max-age", True)


def test_no_answer_sets_a_cookie(client, ann):
    account = {"email": ann.email, "password": ann.password}
    for answer in (
        client.get("/docs"), client.get("/openapi.json"), client.get("/nope"), ann.get(ann.tasks),
        client.post("/api/auth/login", json=account), client.post("/api/auth/login", json={}),
        ann.post("/api/auth/logout"),
    ):  # fmt: skip
        assert "Set-Cookie" not in answer.headers


@pytest.fixture
def browser(shared_app):
    return shared_app(cors_origins=(ORIGIN, "http://localhost:3000")).test_client()


PREFLIGHT = {
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
}


def test_a_preflight_of_a_listed_origin_is_answered_without_a_token_and_cached(browser):
    answer = browser.options("/api/x/tasks/y", headers=PREFLIGHT | {"Origin": ORIGIN})
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert {name.strip() for name in allowed.split(",")} == {
        "authorization",
        "content-type",
        "x-request-id",
    }
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600
    assert answer.headers.getlist("Vary") == ["Origin"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_may_ask_for_what_tracers_add_and_for_listed_headers(shared_app):
    asked = "traceparent, sentry-trace, baggage, X-Team, X-Other"
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": asked}
    for headers, expected in (
        ({}, {"traceparent", "sentry-trace", "baggage"}),
        ({"cors_headers": ("x-team",)}, {"X-Team"}),
    ):
        browser = shared_app(cors_origins=(ORIGIN,), **headers).test_client()
        answer = browser.options("/api/x/tasks", headers=ask | {"Origin": ORIGIN})
        assert set(answer.headers["Access-Control-Allow-Headers"].split(", ")) == expected


def test_the_origins_of_web_views_and_ipv6_hosts_are_taken_as_they_are(shared_app):
    origins = ("capacitor://localhost", "chrome-extension://abcdefghijklmnop", "http://[::1]:3000")
    browser = shared_app(cors_origins=origins).test_client()
    for origin in origins:
        answer = browser.get("/health/live", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    for other in (
        "http://::3000",
        "http://1:3000",
        "http://[::1]:30000",
        "capacitor://localhost.a",
    ):
        answer = browser.get("/health/live", headers={"Origin": other})
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_listed_origin_gets_cors_headers_on_errors_too(browser):
    for path, status in (("/nope", 404), ("/api/x/tasks", 401), ("/health/live", 200)):
        answer = browser.get(path, headers={"Origin": ORIGIN})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.vary


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com",
        "https://app.example.com:444", "https://appxexample.com", "null", "*", "", "http://localhost:3001",
    ],
)  # fmt: skip
def test_any_other_origin_gets_none(browser, origin):
    for answer in (
        browser.get("/health/live", headers={"Origin": origin}),
        browser.get("/nope", headers={"Origin": origin}),
        browser.options("/api/x/tasks", headers=PREFLIGHT | {"Origin": origin}),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]
        assert "Origin" in answer.vary


def test_without_listed_origins_and_without_an_origin_there_are_no_cors_headers(client, browser):
    for answer in (client.get("/nope", headers={"Origin": ORIGIN}), browser.get("/nope")):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


def test_every_route_but_the_open_ones_needs_a_token(app):
    open_ones = {"auth.signup", "auth.login", "auth.reset"}
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(("docs.", "health.")) or rule.endpoint in open_ones:
            continue
        path = re.sub("<.*?>", str(uuid.uuid4()), rule.rule)
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            check_problem(client.open(path, method=method), 401, "unauthorized")


def test_every_route_that_takes_a_password_has_a_limit(make_app):
    app = make_app(auth_rate_limit="1 per minute")
    limited = set()
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods and "user_id" not in rule.arguments:
            client = app.test_client()
            statuses = [client.post(rule.rule, json={}).status_code for _ in range(2)]
            if statuses[1] == 429:
                limited.add(rule.endpoint)
    assert limited == {"auth.signup", "auth.login", "auth.reset"}


def test_below_a_path_of_the_proxy_every_reference_has_it(client, ann):
    token = {"Authorization": f"Bearer {ann.token}"}
    below = {"base_url": "http://localhost/todo/", "headers": token}
    made = client.post(ann.tasks, json={"title": "x"}, **below)
    assert made.headers["Location"] == f"/todo{ann.tasks}/{made.json['data']['id']}"
    ann.add()
    page = client.get(f"{ann.tasks}?limit=1", **below)
    assert page.headers["Link"].startswith(f"</todo{ann.tasks}?limit=1&cursor=")
    missing = client.get(f"{ann.tasks}/x", **below).json
    assert missing["instance"] == f"/todo{ann.tasks}/x"
    assert missing["type"] == "/todo/problems#not-found"
    assert client.get("/", **below).headers["Location"] == "/todo/docs"
    for base, url in (("/todo/", "/todo"), ("/", "/"), ("/other", "/other")):
        document = client.get("/openapi.json", base_url=f"http://localhost{base}").json
        assert [server["url"] for server in document["servers"]] == [url]


def test_options_of_the_server_as_a_whole_name_every_method(client, app):
    answer = client.options("/", environ_overrides={"PATH_INFO": "*"})
    assert (answer.status_code, answer.data) == (204, b"")
    methods = {method for rule in app.url_map.iter_rules() for method in rule.methods}
    assert set(answer.headers["Allow"].split(", ")) == methods
    assert "X-Request-ID" in answer.headers
    for method, path in (("GET", "*"), ("OPTIONS", "/*"), ("OPTIONS", "/nope")):
        answer = client.open("/", method=method, environ_overrides={"PATH_INFO": path})
        assert answer.status_code == 404
