"""Renewal and logout of a sign-in: API.md, Accounts."""

from collections.abc import Callable
from typing import Any

import jwt
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from support.accounts import Account
from support.at_once import at_once
from todo_api.auth import sign_ins

pytestmark = pytest.mark.contract
RENEW, LOGOUT = "/api/auth/renew", "/api/auth/logout"
BORDER = 30 * 24 * 60 * 60
# Without `timestamptz ± interval` over a column, which Citus refuses in an UPDATE.
AGE = (
    "UPDATE sessions SET created_at = (created_at AT TIME ZONE 'UTC' - %(by)s::interval) AT TIME ZONE 'UTC',"
    " signed_in_at = (signed_in_at AT TIME ZONE 'UTC' - %(by)s::interval) AT TIME ZONE 'UTC'"
)
AGE_ALL = (
    AGE + ", expires_at = (expires_at AT TIME ZONE 'UTC' - %(by)s::interval) AT TIME ZONE 'UTC'"
)


def with_token(client: FlaskClient, token: str, method: str, path: str, **rest: Any) -> Any:
    return client.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **rest)


def renewed(account: Account, token: str | None = None) -> str:
    """The token of a renewal."""
    answer = with_token(account.client, token or account.token, "POST", RENEW)
    assert answer.status_code == 200, answer.text
    return str(answer.json["data"]["access_token"])


def is_good(account: Account, token: str) -> bool:
    status = with_token(account.client, token, "GET", account.tasks).status_code
    assert status in (200, 401)
    return status == 200


def session_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def listed(account: Account, token: str) -> list[dict[str, Any]]:
    answer = with_token(account.client, token, "GET", f"/api/{account.id}/sessions")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


@pytest.fixture
def names(superuser: psycopg.Connection[Any]) -> Callable[[], list[str]]:
    """The events since the sign-up, oldest first."""

    def names() -> list[str]:
        rows = superuser.execute("SELECT event FROM auth_events ORDER BY id").fetchall()
        return [name for (name,) in rows if name not in ("signup", "login")]

    return names


def test_a_renewal_answers_200_with_a_session_that_is_good_for_24_hours(ann: Account) -> None:
    answer = ann.post(RENEW)
    assert answer.status_code == 200
    assert answer.json.keys() == {"data", "meta"}
    data = answer.json["data"]
    assert data.keys() == {"user_id", "email", "access_token", "token_type", "expires_in"}
    assert (data["user_id"], data["email"]) == (ann.id, "ann@example.com")
    assert (data["token_type"], data["expires_in"]) == ("Bearer", 86400)
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60
    assert is_good(ann, data["access_token"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_renewal_ignores_a_body_and_a_query(ann: Account) -> None:
    answer = ann.post(f"{RENEW}?limit=x", data=b"\xff{", content_type="text/plain")
    assert answer.status_code == 200


def test_the_old_token_works_for_another_60_seconds(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    new = renewed(ann)
    assert is_good(ann, ann.token)
    left = "SELECT extract(EPOCH FROM expires_at - now()) FROM sessions WHERE id = %s"
    [(seconds,)] = superuser.execute(left, [session_of(ann.token)]).fetchall()
    assert 0 < seconds <= 60
    superuser.execute(AGE_ALL, {"by": "60 s"})
    assert not is_good(ann, ann.token)
    assert with_token(ann.client, ann.token, "POST", RENEW).status_code == 401
    assert is_good(ann, new)


def test_a_second_renewal_of_a_token_gives_it_no_more_time(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    first = renewed(ann)
    superuser.execute(AGE_ALL, {"by": "50 s"})
    second = renewed(ann)
    superuser.execute(AGE_ALL, {"by": "20 s"})
    assert [is_good(ann, one) for one in (ann.token, first, second)] == [False, True, True]


def test_a_token_without_a_living_session_is_not_renewed(
    client: FlaskClient, ann: Account, names: Callable[[], list[str]]
) -> None:
    ann.post(LOGOUT)
    answer = ann.post(RENEW)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
    assert client.post(RENEW).status_code == 401
    assert names() == ["logout", "token_refused"]


@pytest.mark.parametrize("of_chain", [False, True], ids=["of a login", "of a renewal"])
def test_30_days_after_the_login_there_is_no_renewal(
    ann: Account, superuser: psycopg.Connection[Any], names: Callable[[], list[str]], of_chain: bool
) -> None:
    token = renewed(ann) if of_chain else ann.token
    superuser.execute("DELETE FROM auth_events")
    superuser.execute(AGE, {"by": f"{BORDER - 60} s"})
    assert with_token(ann.client, token, "POST", RENEW).status_code == 200
    superuser.execute(AGE, {"by": "61 s"})
    refused = with_token(ann.client, token, "POST", RENEW)
    assert (refused.status_code, refused.json["code"]) == (401, "unauthorized")
    assert names() == ["renewal", "token_refused"]


def test_the_last_token_of_a_sign_in_ends_with_it(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(AGE, {"by": f"{BORDER - 600} s"})
    answer = ann.post(RENEW)
    data = answer.json["data"]
    assert 1 <= data["expires_in"] <= 600
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == data["expires_in"]
    assert is_good(ann, data["access_token"])
    superuser.execute(AGE_ALL, {"by": "600 s"})
    assert not is_good(ann, data["access_token"])


def test_a_sign_in_stays_one_with_the_login_s_moment_however_often_it_is_renewed(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    [before] = listed(ann, ann.token)
    tokens = [ann.token]
    for _ in range(3):
        tokens.append(renewed(ann, tokens[-1]))
    for token in tokens:  # each still works, and is of the one sign-in
        [after] = listed(ann, token)
        assert after["is_current"]
        assert (after["id"], after["created_at"]) == (session_of(tokens[-1]), before["created_at"])
        assert after["expires_at"] >= before["expires_at"]


@pytest.mark.slow
def test_a_sign_in_has_the_address_and_the_user_agent_of_its_newest_token(
    client: FlaskClient, ann: Account
) -> None:
    def calls_from(address: str, agent: str) -> dict[str, Any]:
        return {"environ_base": {"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent}}

    body = {"email": "bea@example.com", "password": "correct horse battery"}
    data = client.post("/api/auth/signup", json=body, **calls_from("192.0.2.1", "one")).json["data"]
    path = f"/api/{data['user_id']}/sessions"
    found = client.get(path, headers={"Authorization": f"Bearer {data['access_token']}"}).json
    assert [(one["address"], one["user_agent"]) for one in found["data"]] == [("192.0.2.1", "one")]
    login = client.post("/api/auth/login", json=body, **calls_from("2001:db8::1", "x" * 300))
    token = login.json["data"]["access_token"]
    moved = with_token(client, token, "POST", RENEW, **calls_from("198.51.100.7", "a\0b"))
    token = moved.json["data"]["access_token"]
    found = client.get(path, headers={"Authorization": f"Bearer {token}"}).json["data"]
    assert [(one["address"], one["user_agent"], one["is_current"]) for one in found] == [
        ("198.51.100.7", "ab", True),
        ("192.0.2.1", "one", False),
    ]


@pytest.mark.parametrize("which", [0, 1, 2], ids=["the oldest", "the middle one", "the newest"])
def test_logout_with_any_token_of_a_sign_in_ends_them_all(
    client: FlaskClient, ann: Account, names: Callable[[], list[str]], which: int
) -> None:
    body = {"email": ann.email, "password": ann.password}
    other = client.post("/api/auth/login", json=body).json["data"]["access_token"]
    tokens = [ann.token]
    tokens.append(renewed(ann))
    tokens.append(renewed(ann, tokens[1]))
    assert with_token(client, tokens[which], "POST", LOGOUT).status_code == 204
    assert names() == ["renewal", "renewal", "logout"]
    assert [is_good(ann, token) for token in tokens] == [False, False, False]
    assert is_good(ann, other)


@pytest.mark.parametrize("count", [2, 50])
def test_renewals_at_once_all_give_good_tokens_of_one_sign_in(
    app: Flask, ann: Account, count: int
) -> None:
    def renew(_: int) -> str:
        answer = with_token(app.test_client(), ann.token, "POST", RENEW)
        assert answer.status_code == 200, answer.text
        assert answer.json["data"]["expires_in"] == 86400
        return str(answer.json["data"]["access_token"])

    tokens = at_once(
        min(count, 10), lambda number: [renew(number) for _ in range(count // 10 or 1)]
    )
    tokens = [token for some in tokens for token in some]
    assert len(set(tokens)) == count
    assert all(is_good(ann, token) for token in [ann.token, *tokens])
    [entry] = listed(ann, tokens[0])
    assert entry["id"] in {session_of(token) for token in tokens}
    assert with_token(app.test_client(), tokens[-1], "POST", LOGOUT).status_code == 204
    assert not any(is_good(ann, token) for token in [ann.token, *tokens])


@pytest.mark.slow
def test_a_sign_in_has_at_most_64_sessions_and_loses_those_that_expire_first(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    good = [renewed(ann) for _ in range(63)]
    newest = good[-1]
    assert is_good(ann, ann.token)
    last = renewed(ann, newest)
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(64,)]
    assert not is_good(ann, ann.token)
    assert all(is_good(ann, token) for token in [*good, last])


def test_50_sign_ins_may_each_have_been_renewed(
    client: FlaskClient, ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(AGE, {"by": "2 h"})
    superuser.execute(
        "INSERT INTO sessions (user_id, id, created_at, expires_at) SELECT user_id, gen_random_uuid(),"
        " now() - interval '1 hour', now() + interval '1 hour' FROM users, generate_series(1, 48)"
    )
    newest = renewed(ann)
    body = {"email": ann.email, "password": ann.password}
    fiftieth = client.post("/api/auth/login", json=body).json["data"]["access_token"]
    assert is_good(ann, newest)
    assert is_good(ann, ann.token)
    assert len(listed(ann, fiftieth)) == 50
    beyond = client.post("/api/auth/login", json=body).json["data"]["access_token"]
    # Whenever it was renewed: it is the one whose login is the oldest.
    assert not is_good(ann, newest)
    assert not is_good(ann, ann.token)
    assert len(listed(ann, beyond)) == 50


@pytest.mark.parametrize(
    "end",
    [
        lambda client, account, token, other: with_token(client, token, "POST", LOGOUT),
        lambda client, account, token, other: with_token(
            client, other, "DELETE", f"/api/{account.id}/sessions/{session_of(token)}"
        ),
        lambda client, account, token, other: with_token(
            client, other, "DELETE", f"/api/{account.id}/sessions"
        ),
    ],
    ids=["logout", "the end of the entry", "the end of the others"],
)
def test_no_renewal_survives_the_end_of_its_sign_in(
    app: Flask, ann: Account, end: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ins, "GRACE_S", 3600)  # so that every round has old tokens that work
    client = app.test_client()
    body = {"email": ann.email, "password": ann.password}
    for _ in range(5):
        token, other = (
            client.post("/api/auth/login", json=body).json["data"]["access_token"] for _ in range(2)
        )

        def work(number: int, token: str = token, other: str = other) -> Any:
            own = app.test_client()
            if number == 3:
                return end(own, ann, token, other)
            return with_token(own, token, "POST", RENEW)

        answers = at_once(6, work)
        assert answers.pop(3).status_code == 204
        assert {answer.status_code for answer in answers} <= {200, 401}
        for answer in answers:
            if answer.status_code == 200:
                assert not is_good(ann, answer.json["data"]["access_token"])
        assert not is_good(ann, token)


def test_two_sessions_that_end_each_other_at_once_don_t_both_end(app: Flask, ann: Account) -> None:
    client, path = app.test_client(), f"/api/{ann.id}/sessions"
    body = {"email": ann.email, "password": ann.password}
    for _ in range(5):
        pair = [client.post("/api/auth/login", json=body).json["data"] for _ in range(2)]
        tokens = [one["access_token"] for one in pair]
        answers = at_once(
            2,
            lambda number, tokens=tokens: with_token(
                app.test_client(), tokens[number], "DELETE", path
            ),
        )
        assert sorted(answer.status_code for answer in answers) == [204, 401]
        assert sorted(is_good(ann, token) for token in tokens) == [False, True]


def test_a_flood_of_renewals_leaves_at_most_60_rows_a_minute_of_one_user(
    ann: Account, bob: Account, names: Callable[[], list[str]]
) -> None:
    for _ in range(65):
        ann.token = renewed(ann)
    assert names() == ["renewal"] * 60
    bob.token = renewed(bob)
    assert names() == ["renewal"] * 61


@pytest.mark.slow
def test_a_renewal_needs_no_session_of_this_version(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    """What the version before this one inserts beside the new schema."""
    superuser.execute("DELETE FROM sessions")
    superuser.execute(
        "INSERT INTO sessions (user_id, id, expires_at)"
        " SELECT user_id, %s::uuid, now() + interval '1 hour' FROM users",
        [session_of(ann.token)],
    )
    [entry] = listed(ann, ann.token)
    assert (entry["address"], entry["user_agent"], entry["is_current"]) == (None, None, True)
    new = renewed(ann)
    [entry] = listed(ann, new)
    assert (entry["id"], entry["address"]) == (session_of(new), "127.0.0.1")
    assert ann.post(LOGOUT).status_code == 204
    assert not is_good(ann, new)


def test_a_clock_that_was_set_back_fails_no_renewal(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(AGE_ALL, {"by": "-10 min"})
    new = renewed(ann)
    assert is_good(ann, new)
    assert is_good(ann, ann.token)
