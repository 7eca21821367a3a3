"""What the three calls that ask for the current password have in common: API.md, Accounts."""

import pytest

pytestmark = pytest.mark.contract
PASSWORD = "correct horse battery"
CALLS = {
    "password": ("PUT", {"new_password": "a longer staple of horses"}),
    "email": ("PUT", {"email": "ann@example.net"}),
    "deletion": ("POST", {}),
}
EVERY = pytest.mark.parametrize("name", CALLS)


def call(account, name, password=PASSWORD, **request):
    method, rest = CALLS[name]
    if not request:
        request = {"json": {"current_password": password, **rest}}
    return account.call(method, f"/api/{account.id}/{name}", **request)


def code(answer):
    return answer.status_code, answer.json["code"]


@EVERY
def test_another_password_is_403_and_changes_nothing(client, ann, bob, superuser, name):
    before = superuser.execute("SELECT * FROM users ORDER BY email").fetchall()
    for wrong in (PASSWORD + " ", PASSWORD.upper(), "x" * 1024):
        answer = call(ann, name, wrong)
        assert code(answer) == (403, "wrong-password")
        assert "WWW-Authenticate" not in answer.headers
    assert superuser.execute("SELECT * FROM users ORDER BY email").fetchall() == before
    assert ann.get(ann.tasks).status_code == 200
    assert (
        client.post(
            "/api/auth/login", json={"email": "ann@example.com", "password": PASSWORD}
        ).status_code
        == 200
    )


@EVERY
def test_a_refusal_is_recorded_with_its_user(ann, superuser, name):
    answer = call(ann, name, "not mine!")
    events = superuser.execute(
        "SELECT event, reason, user_id::text, request_id FROM auth_events WHERE event = 'password_refused'"
    ).fetchall()
    assert events == [
        ("password_refused", "wrong password", ann.id, answer.headers["X-Request-ID"])
    ]


@EVERY
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"current_password": None},
        {"current_password": 12345678},
        {"current_password": "short"},
        {"current_password": "x" * 1025},
        {"current_password": PASSWORD, "another": 1},
        {"current_password": "\ud800" * 8},
    ],
    ids=["missing", "null", "number", "short", "long", "unknown", "surrogate"],
)
def test_a_body_of_the_wrong_shape_is_422_before_the_password_is_looked_at(
    ann, superuser, name, body
):
    given = CALLS[name][1] | body if body else {}
    assert code(call(ann, name, json=given)) == (422, "validation-error")
    refused = "SELECT count(*) FROM auth_events WHERE event = 'password_refused'"
    assert superuser.execute(refused).fetchall() == [(0,)]


@EVERY
def test_every_wrong_field_is_named(ann, name):
    answer = call(ann, name, json={"unknown": 1})
    fields = {error["field"] for error in answer.json["errors"]}
    assert fields == {"unknown", "current_password", *CALLS[name][1]}


@EVERY
def test_no_token_and_a_dead_one_are_401_before_anything_else(client, ann, name):
    method, rest = CALLS[name]
    path = f"/api/{ann.id}/{name}"
    assert code(client.open(path, method=method, json={})) == (401, "unauthorized")
    ann.post("/api/auth/logout")
    for request in (
        {"json": {"current_password": PASSWORD, **rest}},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"x", "content_type": "text/plain"},
    ):
        answer = call(ann, name, **request)
        assert code(answer) == (401, "unauthorized")
        assert "X-RateLimit-Limit" not in answer.headers


@EVERY
def test_a_foreign_path_is_403_before_the_body_is_looked_at(ann, bob, name):
    method, _ = CALLS[name]
    answer = ann.call(method, f"/api/{bob.id}/{name}", data=b"{", content_type="text/plain")
    assert code(answer) == (403, "forbidden")


@EVERY
def test_it_hashes_in_the_line_of_those_who_hash(app, name):
    method, _ = CALLS[name]
    assert hasattr(app.view_of(f"/api/x/{name}", method), "hashes")


@EVERY
def test_a_password_that_changes_while_it_is_checked_is_403(app, ann, superuser, monkeypatch, name):
    hasher = app.extensions["hasher"]
    check = hasher.check

    def slowly(password, stored):
        matches = check(password, stored)
        superuser.execute("UPDATE users SET password_version = password_version + 1")
        return matches

    monkeypatch.setattr(hasher, "check", slowly)
    assert code(call(ann, name)) == (403, "wrong-password")
    found = superuser.execute("SELECT email, password_version FROM users").fetchall()
    assert found == [("ann@example.com", 2)]
    events = superuser.execute("SELECT event, reason FROM auth_events ORDER BY id").fetchall()
    assert events[1:] == [("password_refused", "password changed meanwhile")]


@EVERY
def test_an_account_that_is_disabled_while_its_password_is_checked_is_401(
    app, ann, superuser, monkeypatch, name
):
    hasher = app.extensions["hasher"]
    check = hasher.check

    def slowly(password, stored):
        superuser.execute("UPDATE users SET disabled_at = now()")
        return check(password, stored)

    monkeypatch.setattr(hasher, "check", slowly)
    assert code(call(ann, name)) == (401, "unauthorized")
    assert superuser.execute("SELECT email, password_version FROM users").fetchall() == [
        ("ann@example.com", 1)
    ]


# --- the limit of attempts ---


@pytest.fixture
def limited(make_app, ann):
    """Ann's calls of an application where five attempts are the limit."""
    ann.client = make_app(auth_rate_limit="5 per minute").test_client()
    return ann


def test_each_call_has_an_allowance_of_its_own_of_five_attempts(limited):
    for name in CALLS:
        answers = [call(limited, name, "not mine!") for _ in range(6)]
        assert [code(answer) for answer in answers] == [
            *[(403, "wrong-password")] * 5,
            (429, "rate-limited"),
        ]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == list("432100")
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"5"}
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


@EVERY
def test_malformed_attempts_count_and_429_comes_before_the_body(limited, name):
    malformed = {"data": b"{", "content_type": "application/json"}
    assert [call(limited, name, **malformed).status_code for _ in range(6)] == [400] * 5 + [429]
    assert call(limited, name).status_code == 429


@EVERY
def test_what_is_not_called_json_is_no_attempt(limited, name):
    for _ in range(6):
        answer = call(limited, name, data=b"{}", content_type="text/plain")
        assert code(answer) == (415, "unsupported-media-type")
        assert "X-RateLimit-Limit" not in answer.headers
    assert call(limited, name, "not mine!").status_code == 403


@EVERY
def test_strangers_use_up_nothing_of_the_allowance(limited, bob, name):
    bob.client = limited.client
    method, rest = CALLS[name]
    gone = bob.token
    bob.post("/api/auth/logout")
    for _ in range(6):
        foreign = limited.call(method, f"/api/{bob.id}/{name}", json=rest)
        assert foreign.status_code == 403
        bob.token = gone
        assert call(bob, name).status_code == 401
    assert call(limited, name, "not mine!").headers["X-RateLimit-Remaining"] == "4"


@EVERY
def test_a_hit_limit_is_recorded_with_its_user(limited, superuser, name):
    for _ in range(6):
        call(limited, name, "not mine!")
    events = superuser.execute(
        "SELECT reason, user_id::text FROM auth_events WHERE event = 'rate_limited'"
    ).fetchall()
    [(reason, user_id)] = events
    assert reason.startswith("accounts.")
    assert user_id == limited.id


# --- guesses ---


@EVERY
def test_wrong_current_passwords_are_guesses_and_right_ones_are_none(make_app, ann, name):
    ann.client = make_app(account_guess_limit="2 per hour").test_client()
    login = {"email": ann.email, "password": PASSWORD}
    assert code(call(ann, name, "not mine!")) == (403, "wrong-password")
    same = {"current_password": PASSWORD, "email": ann.email}
    assert call(ann, "email", json=same).status_code == 200
    assert code(call(ann, name, "not mine!")) == (403, "wrong-password")
    refused = call(ann, name)
    assert code(refused) == (429, "rate-limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert ann.client.post("/api/auth/login", json=login).status_code == 429
    assert ann.get(ann.tasks).status_code == 200
