"""Login to an account that the operator has disabled: API.md, Accounts."""

import pytest

pytestmark = pytest.mark.contract


@pytest.fixture
def disabled(ann, superuser):
    superuser.execute("UPDATE users SET disabled_at = now()")
    superuser.execute("DELETE FROM auth_events")
    return ann


def log_in(client, password="correct horse battery"):
    return client.post("/api/auth/login", json={"email": "ann@example.com", "password": password})


def said(answer):
    return {name: value for name, value in answer.json.items() if name != "request_id"}


def test_with_the_right_password_it_is_403_and_starts_no_session(client, disabled, superuser):
    answer = log_in(client)
    assert (answer.status_code, answer.json["code"]) == (403, "account-disabled")
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    events = superuser.execute("SELECT event, reason, user_id::text FROM auth_events").fetchall()
    assert events == [("login_refused", "account disabled", disabled.id)]


def test_with_a_wrong_password_it_looks_like_any_other(client, disabled):
    answer, unknown = (
        log_in(client, "not the password"),
        client.post(
            "/api/auth/login", json={"email": "nobody@example.com", "password": "not the password"}
        ),
    )
    assert (answer.status_code, answer.json["code"]) == (401, "invalid-credentials")
    assert said(answer) == said(unknown)


def test_once_enabled_it_is_logged_in_to_again(client, disabled, superuser):
    superuser.execute("UPDATE users SET disabled_at = NULL")
    assert log_in(client).status_code == 200


def test_one_that_is_disabled_while_its_password_is_checked_gets_no_session(
    app, client, ann, superuser, monkeypatch
):
    hasher = app.extensions["hasher"]
    check = hasher.check

    def slowly(password, stored):
        superuser.execute("UPDATE users SET disabled_at = now()")
        return check(password, stored)

    monkeypatch.setattr(hasher, "check", slowly)
    assert log_in(client).status_code == 401
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    [_, refused] = superuser.execute("SELECT event FROM auth_events ORDER BY id").fetchall()
    assert refused == ("login_refused",)


def test_right_passwords_of_a_disabled_account_are_no_guesses(make_app, disabled):
    client = make_app(account_guess_limit="2 per hour").test_client()
    assert [log_in(client).status_code for _ in range(3)] == [403] * 3
    assert [log_in(client, "not the password").status_code for _ in range(3)] == [401, 401, 429]
