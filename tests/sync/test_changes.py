"""GET /api/{user_id}/changes: API.md, Tasks, "Offline and in step"."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse, create_environ

from support.accounts import Account
from todo_api.database.statements import load_statements
from todo_api.sync import marks
from todo_api.web import unsent

pytestmark = pytest.mark.contract
Superuser = psycopg.Connection[Any]


def ask(user: Account, query: str = "", **rest: Any) -> TestResponse:
    return user.get(f"/api/{user.id}/changes{query}", **rest)


def changes(user: Account, query: str = "") -> dict[str, Any]:
    answer = ask(user, query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def delete(user: Account, task: dict[str, Any]) -> None:
    assert user.delete(user.path_of(task)).status_code == 204


def change(user: Account, task: dict[str, Any], title: str) -> dict[str, Any]:
    answer = user.put(user.path_of(task), json={"title": title})
    assert answer.status_code == 200
    return answer.json["data"]


def expired(answer: TestResponse) -> bool:
    """Whether the client is told to start over; if not, it has to be told what has changed."""
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json["code"]) == (410, "sync-expired")
    assert answer.content_type == "application/problem+json"
    return True


@pytest.fixture
def forget(superuser: Superuser) -> Callable[[], None]:
    """Makes what was deleted so far 31 days old, and sweeps it."""

    def forget(sweep: bool = True) -> None:
        superuser.execute(
            "UPDATE deleted_tasks SET deleted_at ="
            " (deleted_at AT TIME ZONE 'UTC' - interval '31 days') AT TIME ZONE 'UTC'"
        )
        if sweep:
            superuser.execute("SELECT sweep_deleted_tasks(1000)")

    return forget


# --- what comes ---


def test_without_since_or_with_0_every_task_comes_and_nothing_deleted(ann: Account) -> None:
    tasks = [ann.add(f"Task {number}") for number in range(3)]
    delete(ann, tasks.pop(1))
    for query in ("", "?since=0", "?limit=1000"):
        found = changes(ann, query)
        assert found["data"] == {"tasks": tasks, "deleted": []}


def test_a_user_without_tasks_has_no_changes(ann: Account) -> None:
    found = changes(ann)
    assert found["data"] == {"tasks": [], "deleted": []}
    assert (found["meta"]["revision"], found["meta"]["has_more"]) == (0, False)


def test_the_envelope_has_exactly_these_members(ann: Account) -> None:
    ann.add()
    answer = ask(ann)
    assert answer.json.keys() == {"data", "meta"}
    assert answer.json["data"].keys() == {"tasks", "deleted"}
    meta = answer.json["meta"]
    assert meta.keys() == {"timestamp", "request_id", "revision", "has_more"}
    assert meta["request_id"] == answer.headers["X-Request-ID"]
    assert meta["timestamp"].endswith("Z")
    assert datetime.fromisoformat(meta["timestamp"])
    assert answer.content_type == "application/json"


def test_a_task_is_as_the_other_calls_answer_it(ann: Account) -> None:
    fields = {"title": "Fields", "notes": "a\tb", "due_at": "2026-12-24T18:00:00+01:00"}
    more = {"priority": 3, "tags": ["x", "Ä"]}
    task = ann.post(ann.tasks, json=fields | more).json["data"]
    assert changes(ann)["data"]["tasks"] == [task]
    assert changes(ann)["data"]["tasks"] == [ann.get(ann.path_of(task)).json["data"]]


def test_after_a_revision_come_tasks_as_they_are_now_and_ids_that_were_deleted(
    ann: Account,
) -> None:
    one, two, three = (ann.add(f"Task {number}") for number in range(3))
    since = changes(ann)["meta"]["revision"]
    assert since == three["revision"] == 3
    change(ann, one, "first")
    latest = change(ann, one, "second")
    delete(ann, two)
    found = changes(ann, f"?since={since}")
    assert found["data"] == {"tasks": [latest], "deleted": [{"id": two["id"], "revision": 6}]}
    assert found["meta"]["revision"] == 6
    assert changes(ann, "?since=6")["data"] == {"tasks": [], "deleted": []}


def test_a_task_that_was_made_and_deleted_meanwhile_is_only_deleted(ann: Account) -> None:
    ann.add()
    gone = ann.add()
    delete(ann, gone)
    found = changes(ann, "?since=1")["data"]
    assert found == {"tasks": [], "deleted": [{"id": gone["id"], "revision": 3}]}


def test_what_changes_nothing_is_no_change(ann: Account) -> None:
    task = ann.add("same")
    ann.patch(f"{ann.path_of(task)}/complete")
    since = changes(ann)["meta"]["revision"]
    change(ann, task, "same")
    ann.patch(f"{ann.path_of(task)}/complete")
    ann.delete(f"{ann.path_of(task)}?if_revision=1")
    ann.put(ann.path_of(task), json={"title": ""})
    found = changes(ann, f"?since={since}")
    assert found["data"] == {"tasks": [], "deleted": []}
    assert found["meta"]["revision"] == since


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
def test_pages_are_in_the_order_of_revisions_over_tasks_and_deletions(
    ann: Account, limit: int
) -> None:
    tasks = [ann.add(f"Task {number}") for number in range(6)]
    since = 2
    delete(ann, tasks[0])  # 7
    change(ann, tasks[2], "changed")  # 8
    delete(ann, tasks[3])  # 9
    seen: list[int] = []
    while True:
        found = changes(ann, f"?since={since}&limit={limit}")
        data, meta = found["data"], found["meta"]
        page = [one["revision"] for one in (*data["tasks"], *data["deleted"])]
        for some in data.values():
            assert [one["revision"] for one in some] == sorted(one["revision"] for one in some)
        assert len(page) <= limit
        seen += sorted(page)
        since = meta["revision"]
        if not meta["has_more"]:
            break
        assert len(page) == limit
        assert since == max(page)
    assert seen == [5, 6, 7, 8, 9]
    assert since == 9


def test_has_more_is_false_when_the_page_is_just_full(ann: Account) -> None:
    for number in range(3):
        ann.add(f"Task {number}")
    assert changes(ann, "?limit=3")["meta"]["has_more"] is False
    assert changes(ann, "?limit=2")["meta"]["has_more"] is True


def test_without_a_limit_a_page_has_500(ann: Account, superuser: Superuser) -> None:
    superuser.execute(
        "INSERT INTO tasks (user_id, title) SELECT %s, 'x' FROM generate_series(1, 501)", [ann.id]
    )
    found = changes(ann)
    assert (len(found["data"]["tasks"]), found["meta"]["has_more"]) == (500, True)
    found = changes(ann, f"?since={found['meta']['revision']}")
    assert (len(found["data"]["tasks"]), found["meta"]["has_more"]) == (1, False)


def test_the_revision_of_a_list_is_where_changes_go_on(ann: Account) -> None:
    ann.add()
    listed = ann.get(ann.tasks).json
    two = ann.add()
    assert changes(ann, f"?since={listed['meta']['revision']}")["data"]["tasks"] == [two]


def test_a_task_made_again_with_a_forgotten_id_is_no_deletion(
    ann: Account, forget: Callable[..., None]
) -> None:
    task = ann.add()
    delete(ann, task)
    since = changes(ann)["meta"]["revision"]
    forget(sweep=False)
    again = ann.post(ann.tasks, json={"title": "again", "id": task["id"]}).json["data"]
    assert changes(ann, f"?since={since}")["data"] == {"tasks": [again], "deleted": []}
    assert expired(ask(ann, "?since=1"))  # it would not learn of the deletion between


def test_tasks_that_came_in_another_way_are_numbered_and_come(
    ann: Account, superuser: Superuser
) -> None:
    ann.add()
    since = changes(ann)["meta"]["revision"]
    superuser.execute("INSERT INTO tasks (user_id, title) VALUES (%s, 'by hand')", [ann.id])
    ann.add()  # with something new, all are looked at
    assert expired(ask(ann, f"?since={since}"))
    titles = [one["title"] for one in changes(ann)["data"]["tasks"]]
    assert sorted(titles) == ["Buy oat milk", "Buy oat milk", "by hand"]


def test_a_page_reads_no_more_deletions_than_it_has(ann: Account, superuser: Superuser) -> None:
    delete(ann, ann.add())
    superuser.execute(
        "INSERT INTO deleted_tasks (user_id, id, revision)"
        " SELECT %s, gen_random_uuid(), 10 + one FROM generate_series(1, 5000) AS one",
        [ann.id],
    )
    superuser.execute("UPDATE task_counts SET revision = 6000 WHERE user_id = %s", [ann.id])
    superuser.execute("ANALYZE deleted_tasks")
    assert len(changes(ann, "?since=10&limit=3")["data"]["deleted"]) == 3
    statement = load_statements()["tasks/changes"]
    with superuser.transaction():
        superuser.execute("SELECT begin_request(%s)", [ann.id])
        [(plan,)] = psycopg.RawCursor(superuser).execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}",
            statement.bind(ann.id, {"since": 10, "page_size": 3}),
        )
    read = [node["Actual Rows"] for node in nodes(plan) if is_of_deletions(node)]
    assert read == [4]


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """The nodes of a plan, those on a worker of Citus too."""
    parts = list(plan.values()) if isinstance(plan, dict) else plan
    if isinstance(plan, dict) and "Node Type" in plan:
        yield plan
    if isinstance(parts, list):
        for part in parts:
            yield from nodes(part)


def is_of_deletions(node: dict[str, Any]) -> bool:
    return str(node.get("Relation Name", "")).startswith("deleted_tasks")


# --- who has to start over ---


def test_a_since_that_is_higher_than_the_latest_is_410(ann: Account) -> None:
    ann.add()
    assert not expired(ask(ann, "?since=1"))
    for since in (2, 10**6, 2**52 - 1, 2**52, 2**52 + 5, 2**53, 10**18, 2**63 - 1):
        assert expired(ask(ann, f"?since={since}"))


def test_a_since_that_is_older_than_what_is_forgotten_is_410(
    ann: Account, forget: Callable[..., None]
) -> None:
    one, two = ann.add("1"), ann.add("2")
    delete(ann, one)  # 3
    ann.add("4")
    forget()
    for since in (1, 2):
        answer = ask(ann, f"?since={since}")
        assert expired(answer)
        assert "without" in answer.json["detail"]
    for since in (3, 4):
        assert not expired(ask(ann, f"?since={since}"))
    tasks = changes(ann)["data"]["tasks"]
    assert [task["title"] for task in tasks] == ["2", "4"]
    delete(ann, two)
    assert changes(ann, "?since=4")["data"]["deleted"] == [{"id": two["id"], "revision": 5}]


def test_until_it_is_swept_an_old_deletion_comes(ann: Account, forget: Callable[..., None]) -> None:
    task = ann.add()
    delete(ann, task)
    forget(sweep=False)
    assert changes(ann, "?since=1")["data"]["deleted"] == [{"id": task["id"], "revision": 2}]


def test_housekeeping_forgets_deletions_after_30_days(ann: Account, superuser: Superuser) -> None:
    tasks = [ann.add(), ann.add()]
    for task, days in zip(tasks, (29, 31), strict=True):
        delete(ann, task)
        superuser.execute(
            "UPDATE deleted_tasks SET deleted_at ="
            " (now() AT TIME ZONE 'UTC' - make_interval(days => %s)) AT TIME ZONE 'UTC' WHERE id = %s",
            [days, task["id"]],
        )
    superuser.execute("SELECT sweep_deleted_tasks(1000)")
    left = superuser.execute("SELECT id::text FROM deleted_tasks").fetchall()
    assert left == [(tasks[0]["id"],)]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_who_starts_over_gets_to_the_end_in_pages_although_old_deletions_are_forgotten(
    ann: Account, forget: Callable[..., None], limit: int
) -> None:
    """The first tasks have lower revisions than what is forgotten."""
    tasks = [ann.add(f"Task {number}") for number in range(7)]
    delete(ann, tasks.pop(6))
    delete(ann, tasks.pop(3))
    forget()
    found = changes(ann, f"?limit={limit}")
    copy = found["data"]["tasks"]
    delete(ann, tasks.pop(0))  # a task that was on the first page
    gone: list[str] = []
    while found["meta"]["has_more"]:
        assert found["meta"]["revision"] < 2**53  # exact in JavaScript
        found = changes(ann, f"?since={found['meta']['revision']}&limit={limit}")
        copy += found["data"]["tasks"]
        gone += [one["id"] for one in found["data"]["deleted"]]
    copy = [task for task in copy if task["id"] not in gone]
    assert copy == tasks
    assert found["meta"]["revision"] == 10


def test_who_was_on_the_way_starts_over_when_more_is_forgotten(
    ann: Account, forget: Callable[..., None]
) -> None:
    tasks = [ann.add(f"Task {number}") for number in range(4)]
    delete(ann, tasks[3])
    forget()
    since = changes(ann, "?limit=1")["meta"]["revision"]
    assert not expired(ask(ann, f"?since={since}"))
    delete(ann, tasks[0])
    assert not expired(ask(ann, f"?since={since}"))
    forget()  # also that the task of its first page was deleted
    assert expired(ask(ann, f"?since={since}"))


def test_marks_of_the_way_are_exact_and_never_a_revision() -> None:
    for revision, forgotten in ((1, 2), (5, 2**18), (2**34 - 1, 2**34), (7, 2**40 + 3)):
        mark = marks.after(revision, forgotten)
        assert 2**52 <= mark < 2**53
        since = marks.Since.of(mark)
        assert since.revision == revision
        assert not since.is_expired(2**60, forgotten)
        assert since.is_expired(2**60, forgotten + 1)
    assert marks.after(9, 9) == 9
    assert marks.after(9, 0) == 9


# --- large answers ---


def test_changes_that_nobody_reads_are_bounded_as_lists_are(
    app: Flask, ann: Account, superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser.execute(
        "INSERT INTO tasks (user_id, title, notes) SELECT %s, 'x', repeat('é', 4000)"
        " FROM generate_series(1, 300)",
        [ann.id],
    )
    assert len(changes(ann, "?limit=1000")["data"]["tasks"]) == 300
    monkeypatch.setattr(unsent, "USER_BYTES", 4_000_000)
    path = f"/api/{ann.id}/changes"
    environ = create_environ(path, headers={"Authorization": f"Bearer {ann.token}"})
    unread = app(environ, lambda *_: None)  # the server keeps its environ until it is read
    refused = ask(ann, "?limit=299")
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "5"
    assert ask(ann, "?limit=5").status_code == 200
    del unread, environ
    assert ask(ann, "?limit=299").status_code == 200


@pytest.mark.parametrize("path", ["/changes?limit=1000", "/tasks", "/tasks?limit=1000", "/export"])
def test_tasks_that_have_to_be_numbered_first_are_not_held_twice(
    ann: Account, superuser: Superuser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    superuser.execute(
        "INSERT INTO tasks (user_id, title, notes) SELECT %s, 'x', repeat('é', 4000)"
        " FROM generate_series(1, 300)",
        [ann.id],
    )
    monkeypatch.setattr(unsent, "USER_BYTES", 4_000_000)  # one of them has 2.5 MB
    assert ann.get(f"/api/{ann.id}{path}").status_code == 200


@pytest.mark.parametrize("path", ["/changes?limit=1000", "/tasks", "/tasks?limit=1000"])
def test_clients_that_are_sent_the_same_share_it_and_its_memory_is_given_back(
    app: Flask, ann: Account, superuser: Superuser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    superuser.execute(
        "INSERT INTO tasks (user_id, title, notes) SELECT %s, 'x', repeat('é', 4000)"
        " FROM generate_series(1, 300)",
        [ann.id],
    )
    whole = f"/api/{ann.id}{path}"
    expected = ann.get(whole).json["data"]
    held, returned = app.extensions["unsent"], []
    monkeypatch.setattr(held, "return_memory", lambda: returned.append(held.load().held))
    environs = [
        create_environ(whole, headers={"Authorization": f"Bearer {ann.token}"}) for _ in range(2)
    ]
    unread = [app(environ, lambda *_: None) for environ in environs]
    assert 2_000_000 < held.load().held < 3_000_000
    assert len(returned) > 0
    for answer in unread:
        assert json.loads(b"".join(answer))["data"] == expected
    assert change(ann, ann.get(f"{ann.tasks}?limit=1").json["data"][0], "changed")
    assert ann.get(whole).json["data"] != expected


# --- conditional reads ---


def test_an_answer_has_a_tag_and_is_not_sent_again_until_something_changes(ann: Account) -> None:
    task = ann.add()
    answer = ask(ann)
    tag = answer.headers["ETag"]
    assert tag == 'W/"1"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = ask(ann, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Cache-Control"] == "private, no-cache"
    change(ann, task, "changed")
    assert ask(ann, headers={"If-None-Match": tag}).status_code == 200
    tag = ask(ann).headers["ETag"]
    delete(ann, task)
    assert ask(ann, headers={"If-None-Match": tag}).status_code == 200


def test_a_tag_does_not_hide_that_the_client_has_to_start_over(
    ann: Account, forget: Callable[..., None]
) -> None:
    one = ann.add()
    ann.add()
    delete(ann, one)
    tag = ask(ann, "?since=1").headers["ETag"]
    forget()
    for since in (1, 9):
        headers = {"If-None-Match": tag}
        assert expired(ask(ann, f"?since={since}", headers=headers))
        assert expired(ask(ann, f"?since={since}", headers={"If-None-Match": "*"}))


def test_the_way_through_all_tasks_has_another_tag_once_more_is_forgotten(
    ann: Account, forget: Callable[..., None]
) -> None:
    tasks = [ann.add(f"Task {number}") for number in range(4)]
    delete(ann, tasks[3])
    first = ask(ann, "?limit=1")
    forget()
    again = ask(ann, "?limit=1", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.json["meta"]["revision"] != first.json["meta"]["revision"]


# --- who asks, and how ---


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?since=-1", ["since"]),
        ("?since=1.0", ["since"]),
        ("?since=01", ["since"]),
        ("?since=+1", ["since"]),
        ("?since=1e3", ["since"]),
        ("?since=%D9%A1", ["since"]),
        ("?since=", ["since"]),
        ("?since=9223372036854775808", ["since"]),
        ("?since=" + "9" * 900, ["since"]),
        ("?since=1&since=1", ["since"]),
        ("?limit=0", ["limit"]),
        ("?limit=1001", ["limit"]),
        ("?limit=x&since=y", ["limit", "since"]),
        ("?cursor=x", ["cursor"]),
        ("?Since=1", ["Since"]),
    ],
)
def test_another_query_is_422_for_each_parameter(
    ann: Account, query: str, fields: list[str]
) -> None:
    answer = ask(ann, query)
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert sorted(one["field"] for one in answer.json["errors"]) == fields


def test_it_is_for_the_user_only(client: FlaskClient, ann: Account, bob: Account) -> None:
    ann.add("of Ann")
    delete(ann, ann.add())
    assert changes(bob)["data"] == {"tasks": [], "deleted": []}
    assert client.get(f"/api/{ann.id}/changes?since=x").status_code == 401
    assert bob.get(f"/api/{ann.id}/changes?since=x").status_code == 403
    ann.post("/api/auth/logout")
    assert ask(ann, "?since=x").status_code == 401
    assert ask(ann).status_code == 401


@pytest.mark.parametrize("scope", ["read", "write"])
def test_an_api_token_is_good_for_it(ann: Account, scope: str) -> None:
    task = ann.add()
    token = {"name": "Phone", "scope": scope}
    ann.token = ann.post(f"/api/{ann.id}/tokens", json=token).json["data"]["token"]
    assert changes(ann)["data"]["tasks"] == [task]


def test_other_methods_are_405(ann: Account) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ann.call(method, f"/api/{ann.id}/changes")
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
