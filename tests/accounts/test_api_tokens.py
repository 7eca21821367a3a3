"""API tokens as their user sees them: made, listed, ended; and what a program can do with one."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from support.accounts import Account
from support.at_once import at_once

pytestmark = pytest.mark.contract
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
NEW = {"name": "Nightly report", "scope": "read"}


def tokens_of(user: Account) -> str:
    return f"/api/{user.id}/tokens"


def make(user: Account, **fields: Any) -> dict[str, Any]:
    """A new API token, as it is answered."""
    answer = user.post(tokens_of(user), json=NEW | fields)
    assert answer.status_code == 201, answer.text
    return answer.json["data"]


def listed(user: Account) -> list[dict[str, Any]]:
    answer = user.get(tokens_of(user))
    assert answer.status_code == 200
    assert answer.json["meta"]["count"] == len(answer.json["data"])
    return answer.json["data"]


def sends(client: FlaskClient, token: str, path: str, method: str = "GET", **rest: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} | rest.pop("headers", {})
    return client.open(path, method=method, headers=headers, **rest)


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


# --- made ---


def test_a_token_is_shown_once(ann: Account) -> None:
    made = make(ann, name="  Nightly report ", scope="write", expires_in_days=90)
    assert made.keys() == {
        "id", "name", "scope", "created_at", "expires_at", "last_used_on", "token",
    }  # fmt: skip
    assert re.fullmatch(r"todo_w[0-9A-Za-z]{59}", made.pop("token"))
    assert str(uuid.UUID(made["id"])) == made["id"]
    assert re.fullmatch(MOMENT, made["created_at"])
    assert (made["name"], made["scope"]) == ("Nightly report", "write")
    assert made["last_used_on"] is None
    assert listed(ann) == [made]


@pytest.mark.parametrize(
    ("days", "lasts"),
    [
        ({}, 365),
        ({"expires_in_days": 1}, 1),
        ({"expires_in_days": 366}, 366),
        ({"expires_in_days": None}, None),
    ],
)
def test_a_token_lasts_as_long_as_was_asked_for(
    ann: Account, days: dict[str, Any], lasts: int | None
) -> None:
    made = make(ann, **days)
    if lasts is None:
        assert made["expires_at"] is None
        return
    start, end = (datetime.fromisoformat(made[name]) for name in ("created_at", "expires_at"))
    assert end - start == timedelta(days=lasts)


def test_tokens_come_newest_first(ann: Account) -> None:
    ids = [make(ann, name=f"Number {number}")["id"] for number in range(3)]
    assert [token["id"] for token in listed(ann)] == ids[::-1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(
            ({"expires_in_days": days}, "must be a whole number from 1 to 366 or null")
            for days in (0, 367, -1, 1.5, 1.0, True, "1", [], {}, 10**18, 10**19, 10**400)
        ),
        *(
            ({"scope": scope}, 'must be "read" or "write"')
            for scope in ("", "Read", "admin", None, 1, True, ["read"], {})
        ),
        *(({"name": name}, "must be a string") for name in (None, 1, True, [], {})),
        ({"name": " \t "}, "must have 1 to 100 characters, white space around it not counted"),
        ({"name": "x" * 101}, "must have 1 to 100 characters, white space around it not counted"),
        ({"name": "a\nb"}, "must not contain control characters, such as line breaks"),
        ({"name": "\ud800"}, "must not contain lone surrogates"),
        ({"name": "\u200b"}, "must contain something visible"),
        ({"token": "x"}, "is not a known field"),
        ({"id": str(uuid.UUID(int=7))}, "is not a known field"),
    ],
)
def test_what_is_wrong_with_a_field_is_said(
    ann: Account, changed: dict[str, Any], message: str
) -> None:
    answer = ann.post(tokens_of(ann), json=NEW | changed)
    assert refusal(answer) == (422, "validation-error")
    assert answer.json["errors"] == [{"field": next(iter(changed)), "message": message}]
    assert listed(ann) == []


@pytest.mark.parametrize("spelling", ["1e2", "1E2", "100.0", "1e0", "0x10", "Infinity", "9" * 5000])
def test_days_are_written_in_digits(ann: Account, spelling: str) -> None:
    body = f'{{"name": "x", "scope": "read", "expires_in_days": {spelling}}}'
    answer = ann.post(tokens_of(ann), data=body, content_type="application/json")
    assert answer.status_code == (400 if spelling in ("0x10", "Infinity") else 422)


def test_a_name_may_be_what_a_title_may_be(ann: Account) -> None:
    for name in ("x", "ü" * 100, "קניות 🛒", "a  b", "%_\\"):
        assert make(ann, name=name)["name"] == name


def test_an_account_has_at_most_fifty(ann: Account, superuser: psycopg.Connection[Any]) -> None:
    for _ in range(50):
        make(ann)
    answer = ann.post(tokens_of(ann), json=NEW)
    assert refusal(answer) == (409, "token-limit-reached")
    assert len(listed(ann)) == 50
    created = "SELECT count(*) FROM auth_events WHERE event = 'token_created'"
    assert superuser.execute(created).fetchall() == [(50,)]
    assert ann.delete(f"{tokens_of(ann)}/{listed(ann)[7]['id']}").status_code == 204
    make(ann)
    assert refusal(ann.post(tokens_of(ann), json=NEW)) == (409, "token-limit-reached")


def test_the_limit_is_exact_when_many_are_made_at_once(ann: Account, app: Flask) -> None:
    for _ in range(45):
        make(ann)

    def one_more(_: int) -> int:
        headers = {"Authorization": f"Bearer {ann.token}"}
        return app.test_client().post(tokens_of(ann), json=NEW, headers=headers).status_code

    assert sorted(at_once(12, one_more)) == [201] * 5 + [409] * 7
    assert len(listed(ann)) == 50


def expire(superuser: psycopg.Connection[Any], token: dict[str, Any]) -> None:
    superuser.execute(
        "UPDATE api_tokens SET"
        " created_at = (created_at AT TIME ZONE 'UTC' - interval '9 days') AT TIME ZONE 'UTC',"
        " expires_at = (now() AT TIME ZONE 'UTC' - interval '1 s') AT TIME ZONE 'UTC' WHERE id = %s",
        [token["id"]],
    )


def test_an_expired_token_is_not_listed_and_counts_for_nothing(
    ann: Account, client: FlaskClient, superuser: psycopg.Connection[Any]
) -> None:
    tokens = [make(ann) for _ in range(50)]
    assert sends(client, tokens[3]["token"], ann.tasks).status_code == 200
    expire(superuser, tokens[3])
    assert refusal(sends(client, tokens[3]["token"], ann.tasks)) == (401, "unauthorized")
    assert len(listed(ann)) == 49
    assert ann.delete(f"{tokens_of(ann)}/{tokens[3]['id']}").status_code == 404
    make(ann)
    assert superuser.execute("SELECT count(*) FROM api_tokens").fetchall() == [(50,)]


# --- ended ---


def test_an_ended_token_is_refused_at_once_by_every_process(
    ann: Account, client: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    other = make_app().test_client()
    made, kept = make(ann), make(ann)
    for process in (client, other):
        assert sends(process, made["token"], ann.tasks).status_code == 200
    assert ann.delete(f"{tokens_of(ann)}/{made['id'].upper()}").status_code == 204
    for process in (client, other):
        for _ in range(2):
            answer = sends(process, made["token"], ann.tasks)
            assert refusal(answer) == (401, "unauthorized")
            assert answer.json["detail"] == "This API token has ended."
    assert sends(client, kept["token"], ann.tasks).status_code == 200
    assert [token["id"] for token in listed(ann)] == [kept["id"]]


def test_a_second_end_finds_nothing_and_is_not_recorded(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    made = make(ann)
    path = f"{tokens_of(ann)}/{made['id']}"
    assert ann.delete(path).status_code == 204
    assert refusal(ann.delete(path)) == (404, "not-found")
    events = superuser.execute("SELECT event, reason FROM auth_events ORDER BY id").fetchall()
    assert events == [
        ("signup", None),
        ("token_created", made["id"]),
        ("token_ended", made["id"]),
    ]


@pytest.mark.slow
def test_a_flood_of_ends_leaves_at_most_60_rows_a_minute_of_one_user(
    ann: Account, bob: Account, superuser: psycopg.Connection[Any]
) -> None:
    def rows(user: Account) -> int:
        counted = superuser.execute(
            "SELECT count(*) FROM auth_events WHERE event = 'token_ended' AND user_id = %s",
            [user.id],
        ).fetchone()
        return counted[0] if counted else 0

    for _ in range(65):
        assert ann.delete(f"{tokens_of(ann)}/{make(ann)['id']}").status_code == 204
    assert rows(ann) == 60
    assert bob.delete(f"{tokens_of(bob)}/{make(bob)['id']}").status_code == 204
    assert rows(bob) == 1


@pytest.mark.parametrize("wrong", ["x", "0", str(uuid.UUID(int=7)), "todo_r" + "0" * 59, "%00"])
def test_there_is_no_token_of_another_id(ann: Account, wrong: str) -> None:
    assert refusal(ann.delete(f"{tokens_of(ann)}/{wrong}")) == (404, "not-found")


def test_a_token_of_another_user_looks_like_none(ann: Account, bob: Account) -> None:
    made = make(ann)
    assert refusal(bob.delete(f"{tokens_of(bob)}/{made['id']}")) == (404, "not-found")
    assert refusal(bob.delete(f"{tokens_of(ann)}/{made['id']}")) == (403, "forbidden")
    assert listed(bob) == []
    assert len(listed(ann)) == 1


# --- used ---


def test_a_write_token_does_all_that_can_be_done_with_tasks(
    ann: Account, client: FlaskClient
) -> None:
    token = make(ann, scope="write")["token"]
    created = sends(client, token, ann.tasks, "POST", json={"title": "Buy oat milk"})
    assert created.status_code == 201
    path = created.headers["Location"]
    assert sends(client, token, path, "PUT", json={"title": "x"}).json["data"]["title"] == "x"
    assert sends(client, token, path, "PATCH", json={"title": "y"}).status_code == 200
    assert sends(client, token, f"{path}/complete", "PATCH").json["data"]["is_completed"] is True
    assert sends(client, token, path).json["data"]["title"] == "y"
    assert sends(client, token, path, "DELETE").status_code == 204
    account = sends(client, token, f"/api/{ann.id}")
    assert account.json["data"]["email"] == ann.email


def test_a_key_of_a_create_is_good_with_any_token_of_the_user(
    ann: Account, client: FlaskClient
) -> None:
    token, key = make(ann, scope="write")["token"], {"Idempotency-Key": "k"}
    first = sends(client, token, ann.tasks, "POST", json={"title": "x"}, headers=key)
    again = ann.post(ann.tasks, json={"title": "x"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json["data"] == first.json["data"]
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_read_token_reads_lists_pages_and_conditionally(
    ann: Account, client: FlaskClient
) -> None:
    tasks = [ann.add(f"Number {number}") for number in range(3)]
    token = make(ann)["token"]
    for _ in range(2):
        whole = sends(client, token, ann.tasks)
        assert [task["id"] for task in whole.json["data"]] == [task["id"] for task in tasks[::-1]]
    page = sends(client, token, f"{ann.tasks}?limit=2")
    rest = sends(client, token, page.headers["Link"].split(">")[0][1:])
    assert len(page.json["data"] + rest.json["data"]) == 3
    for path in (ann.tasks, f"{ann.tasks}?limit=2", ann.path_of(tasks[0])):
        tag = {"If-None-Match": sends(client, token, path).headers["ETag"]}
        assert sends(client, token, path, headers=tag).status_code == 304
        assert sends(client, token, path, "HEAD").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_read_token_changes_nothing(ann: Account, client: FlaskClient, method: str) -> None:
    task, token = ann.add(), make(ann)["token"]
    path = ann.tasks if method == "POST" else ann.path_of(task)
    for body in (
        {"json": {"title": "x"}},
        {"data": "{"},
        {"data": b"x" * 100, "content_type": "x/y"},
    ):
        answer = sends(client, token, path, method, **body)
        assert refusal(answer) == (403, "insufficient-scope")
    assert ann.get(ann.tasks).json["data"] == [task]


def test_no_api_token_gets_at_sessions_or_tokens(ann: Account, client: FlaskClient) -> None:
    for scope in ("read", "write"):
        made = make(ann, scope=scope)
        for method, path in (
            ("GET", tokens_of(ann)),
            ("POST", tokens_of(ann)),
            ("DELETE", f"{tokens_of(ann)}/{made['id']}"),
            ("POST", "/api/auth/logout"),
        ):
            answer = sends(client, made["token"], path, method, data="{")
            assert refusal(answer) == (403, "insufficient-scope"), (method, path)
    assert len(listed(ann)) == 2
    assert ann.get(ann.tasks).status_code == 200


def test_a_token_that_has_ended_is_401_before_anything_else(
    ann: Account, bob: Account, client: FlaskClient
) -> None:
    for scope in ("read", "write"):
        made = make(ann, scope=scope)
        ann.delete(f"{tokens_of(ann)}/{made['id']}")
        for path in (ann.tasks, bob.tasks, tokens_of(ann), tokens_of(bob)):
            for method in ("GET", "POST"):
                assert sends(client, made["token"], path, method, data="{").status_code == 401
        assert sends(client, made["token"], "/api/auth/logout", "POST").status_code == 401


def test_a_foreign_path_is_forbidden_and_recorded(
    ann: Account, bob: Account, client: FlaskClient, superuser: psycopg.Connection[Any]
) -> None:
    for scope in ("read", "write"):
        token = make(ann, scope=scope)["token"]
        for method in ("GET", "POST"):
            for path in (bob.tasks, tokens_of(bob), f"/api/{bob.id}"):
                if method == "GET" or path != f"/api/{bob.id}":
                    answer = sends(client, token, path, method, data="{")
                    assert refusal(answer) == (403, "forbidden")
    found = "SELECT DISTINCT user_id::text FROM auth_events WHERE event = 'foreign_user'"
    assert superuser.execute(found).fetchall() == [(ann.id,)]


def test_the_day_of_the_last_use_is_shown(
    ann: Account, client: FlaskClient, superuser: psycopg.Connection[Any]
) -> None:
    made = make(ann)
    sends(client, made["token"], ann.tasks)
    today = datetime.now(UTC).date().isoformat()
    assert listed(ann)[0]["last_used_on"] == today
    superuser.execute("UPDATE api_tokens SET last_used_on = '2026-01-31'")
    assert listed(ann)[0]["last_used_on"] == "2026-01-31"
    sends(client, made["token"], ann.tasks)
    assert listed(ann)[0]["last_used_on"] == datetime.now(UTC).date().isoformat()


# --- outlives ---


def test_a_token_outlives_logout_and_another_secret(
    ann: Account, client: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    token = make(ann)["token"]
    ann.post("/api/auth/logout")
    assert sends(client, token, ann.tasks).status_code == 200
    with_another_secret = make_app(jwt_secret="another secret, of more than 32 bytes")
    assert sends(with_another_secret.test_client(), token, ann.tasks).status_code == 200


def test_a_token_dies_with_its_user(
    ann: Account, client: FlaskClient, superuser: psycopg.Connection[Any]
) -> None:
    token = make(ann)["token"]
    superuser.execute("DELETE FROM auth_events")
    superuser.execute("DELETE FROM users WHERE user_id = %s", [ann.id])
    assert refusal(sends(client, token, ann.tasks)) == (401, "unauthorized")
    assert superuser.execute("SELECT count(*) FROM api_tokens").fetchall() == [(0,)]


def test_no_token_is_made_for_a_session_that_ends_meanwhile(
    ann: Account, app: Flask, superuser: psycopg.Connection[Any]
) -> None:
    """The creation waits for its user's turn, and whoever has it ends the session."""
    with psycopg.connect(superuser.info.dsn) as other:
        other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(user_id::text, 0::bigint)) FROM users"
            " WHERE user_id = %s",
            [ann.id],
        )
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"

        def create_or_end(number: int) -> int:
            if number == 0:
                headers = {"Authorization": f"Bearer {ann.token}"}
                return app.test_client().post(tokens_of(ann), json=NEW, headers=headers).status_code
            while superuser.execute(waiting).fetchone() == (0,):
                pass
            other.execute("DELETE FROM sessions")
            other.commit()
            return 0

        assert at_once(2, create_or_end)[0] == 401
    assert superuser.execute("SELECT count(*) FROM api_tokens").fetchall() == [(0,)]
