"""The export of all that is stored about a user: API.md, Accounts."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import create_environ

from support.accounts import Account
from todo_api.accounts import export
from todo_api.database.pipeline import PART_ROWS
from todo_api.web import unsent

pytestmark = pytest.mark.contract
# Each table with rows of users: where the export has them, or why not.
IN_EXPORT = {
    "users": "account",
    "tasks": "tasks",
    "sessions": "sessions",
    "api_tokens": "api_tokens",
    "auth_events": "events",
}
LEFT_OUT = {
    "task_counts": "how many tasks there are: `account` has it",
    "deleted_tasks": "ids of what is gone, for 30 days: `changes` has them",
    "batch_results": "answers of batches, gone after a day; the tasks that they made are there",
    "idempotency_keys": "hashes of requests, gone after a day; the tasks that they made are there",
    "sign_in_networks": "where logins came from: `sessions` and `events` have the addresses",
    "reset_codes": "the hash of a code that the operator made, until it is used or has expired",
}


def exported(account: Account) -> dict[str, Any]:
    answer = account.get(f"/api/{account.id}/export")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json["data"]
    return data


def test_every_table_of_a_user_is_in_it_or_named_with_a_reason(
    superuser: psycopg.Connection[Any],
) -> None:
    found = superuser.execute(
        "SELECT relname::text FROM pg_class INNER JOIN pg_attribute ON attrelid = pg_class.oid"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND attname = 'user_id'"
    ).fetchall()
    assert {name for (name,) in found} == IN_EXPORT.keys() | LEFT_OUT.keys()
    assert not IN_EXPORT.keys() & LEFT_OUT.keys()


def test_it_is_a_file_with_everything_as_the_other_calls_answer_it(
    client: FlaskClient, ann: Account, bob: Account
) -> None:
    bob.add("not for Ann")
    tasks = [ann.add(f"Task {number}") for number in range(3)]
    client.post("/api/auth/login", json={"email": ann.email, "password": "wrong password"})
    client.post("/api/auth/login", json={"email": ann.email, "password": ann.password})
    token = {"name": "backup", "scope": "read"}
    token = ann.post(f"/api/{ann.id}/tokens", json=token).json["data"].pop("token")
    answer = ann.get(f"/api/{ann.id}/export?limit=x&colour=")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="todo-api-export.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() == {"data", "meta"}
    assert answer.json["meta"].keys() == {"timestamp", "request_id"}
    data = answer.json["data"]
    assert data.keys() == {"account", "tasks", "sessions", "api_tokens", "events"}
    assert data["tasks"] == tasks[::-1]
    for name, path in (
        ("account", ""),
        ("tasks", "/tasks"),
        ("sessions", "/sessions"),
        ("api_tokens", "/tokens"),
        ("events", "/events"),
    ):
        assert data[name] == ann.get(f"/api/{ann.id}{path}").json["data"], name
    assert len(data["sessions"]) == 2
    names = ["token_created", "login", "login_refused", "signup"]
    assert [one["event"] for one in data["events"]] == names
    assert [one["name"] for one in data["api_tokens"]] == ["backup"]
    assert token not in answer.text
    assert bob.id not in answer.text
    assert "not for Ann" not in answer.text


def test_lists_without_items_are_there_too(
    ann: Account, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute("DELETE FROM auth_events")
    data = exported(ann)
    assert (data["tasks"], data["api_tokens"], data["events"]) == ([], [], [])
    ann.add()
    superuser.execute("DELETE FROM auth_events")
    assert (len(exported(ann)["tasks"]), exported(ann)["events"]) == (1, [])


def test_no_hash_and_no_secret_is_in_it(ann: Account, superuser: psycopg.Connection[Any]) -> None:
    ann.post(ann.tasks, json={"title": "Once"}, headers={"Idempotency-Key": "key-of-ann"})
    [(password, request)] = superuser.execute(
        "SELECT password_hash, encode(request_hash, 'hex')"
        " FROM users INNER JOIN idempotency_keys USING (user_id)"
    ).fetchall()
    text = ann.get(f"/api/{ann.id}/export").text
    for secret in (password, request, "$2b$", ann.token, ann.password, "key-of-ann"):
        assert secret not in text


@pytest.fixture
def fill(superuser: psycopg.Connection[Any]) -> Callable[[Account, int, int], None]:
    """Adds tasks with long titles, and events."""

    def fill(account: Account, tasks: int, events: int) -> None:
        superuser.execute(
            "INSERT INTO tasks (user_id, title) SELECT %s, rpad(number::text, 500, 'é')"
            " FROM generate_series(1, %s) AS number",
            [account.id, tasks],
        )
        superuser.execute(
            "INSERT INTO auth_events (event, user_id, address, request_id)"
            " SELECT 'login', %s, '192.0.2.1', number::text FROM generate_series(1, %s) AS number",
            [account.id, events],
        )

    return fill


def test_many_rows_are_all_there_in_order(
    ann: Account, fill: Callable[[Account, int, int], None]
) -> None:
    fill(ann, 700, 700)
    data = exported(ann)
    assert sorted(task["revision"] for task in data["tasks"]) == list(range(1, 701))
    assert data["tasks"] == ann.get(ann.tasks).json["data"]
    assert [one["request_id"] for one in data["events"][:-1]] == [
        str(number) for number in range(700, 0, -1)
    ]


def test_of_the_events_the_newest_are_in_it(
    ann: Account, fill: Callable[[Account, int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_EVENTS", 5)
    fill(ann, 0, 9)
    assert [one["request_id"] for one in exported(ann)["events"]] == ["9", "8", "7", "6", "5"]


def test_exports_that_nobody_reads_are_bounded_as_lists_are(
    app: Flask,
    ann: Account,
    fill: Callable[[Account, int, int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(ann, 700, 0)
    monkeypatch.setattr(unsent, "USER_BYTES", 1_500_000)
    path = f"/api/{ann.id}/export"
    environ = create_environ(path, headers={"Authorization": f"Bearer {ann.token}"})
    unread = app(environ, lambda *_: None)  # the server keeps its environ until it is read
    refused = ann.get(path)
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    del unread, environ
    assert ann.get(path).status_code == 200


def test_an_export_whose_connection_is_lost_half_way_is_made_anew(
    ann: Account, fill: Callable[[Account, int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ann, PART_ROWS + 1, PART_ROWS)
    assert ann.get(f"{ann.tasks}?limit=1").status_code == 200  # they are numbered from now on
    add, calls = export._add_events, []

    def lost_once(items: Any, rows: list[Any]) -> None:
        add(items, rows)
        calls.append(len(rows))
        if len(calls) == 1:
            raise psycopg.OperationalError("the server is gone")

    monkeypatch.setattr(export, "_add_events", lost_once)
    answer = ann.get(f"/api/{ann.id}/export")
    assert calls == [PART_ROWS, PART_ROWS, 1]
    assert answer.text.count('"tasks":[') == answer.text.count('"events":[') == 1
    assert len(answer.json["data"]["tasks"]) == PART_ROWS + 1
    assert len(answer.json["data"]["events"]) == PART_ROWS + 1


def test_it_is_for_the_user_only(client: FlaskClient, ann: Account, bob: Account) -> None:
    assert client.get(f"/api/{ann.id}/export").status_code == 401
    assert bob.get(f"/api/{ann.id}/export").status_code == 403
    ann.post("/api/auth/logout")
    assert ann.get(f"/api/{ann.id}/export").status_code == 401
