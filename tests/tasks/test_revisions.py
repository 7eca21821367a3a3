"""Revisions: API.md, "Fields". Each change takes the next one, and nothing else takes any."""

import uuid

import pytest

from support.at_once import at_once

pytestmark = pytest.mark.contract


def latest(account):
    return account.get(account.tasks).json["meta"]["revision"]


def test_each_change_of_any_task_takes_exactly_the_next_one(ann):
    first, second = ann.add(), ann.add()
    assert (first["revision"], second["revision"]) == (1, 2)
    assert ann.put(ann.path_of(first), json={"title": "y"}).json["data"]["revision"] == 3
    assert ann.patch(f"{ann.path_of(first)}/complete").json["data"]["revision"] == 4
    assert ann.delete(ann.path_of(second)).status_code == 204
    assert latest(ann) == 5
    assert ann.add()["revision"] == 6


def test_revisions_are_each_users_own(ann, bob):
    ann.add()
    assert (latest(ann), latest(bob), bob.add()["revision"]) == (1, 0, 1)


def test_what_is_refused_or_changes_nothing_takes_none(ann):
    task = ann.post(
        ann.tasks, json={"title": "x", "tags": ["a"], "due_at": "2026-12-24T18:00:00+01:00"}
    ).json["data"]
    path = ann.path_of(task)
    same = ("title", "notes", "priority", "tags", "is_completed", "due_at", "due_date")
    for change in ({}, *({name: task[name]} for name in same), {"due_at": "2026-12-24T17:00:00Z"}):
        assert ann.put(path, json=change).json["data"] == task
    assert ann.put(path, json={"title": ""}).status_code == 422
    assert ann.put(path, json={"title": "y", "if_revision": 9}).status_code == 409
    assert ann.delete(f"{path}?if_revision=9").status_code == 409
    missing = f"{ann.tasks}/{uuid.uuid4()}"
    assert ann.put(missing, json={"title": "y"}).status_code == 404
    assert ann.patch(f"{missing}/complete").status_code == 404
    assert ann.delete(missing).status_code == 404
    assert ann.post(ann.tasks, json={"title": "y", "id": task["id"]}).status_code == 200
    assert latest(ann) == 1
    done = ann.patch(f"{path}/complete").json["data"]
    assert ann.patch(f"{path}/complete").json["data"] == done
    assert ann.add()["revision"] == 3


def test_a_stale_if_revision_is_409_with_the_task_as_it_is(ann):
    task = ann.add("one")
    path = ann.path_of(task)
    changed = ann.put(path, json={"title": "two", "if_revision": 1}).json["data"]
    assert (changed["title"], changed["revision"]) == ("two", 2)
    for refused in (
        ann.put(path, json={"title": "three", "if_revision": 1}),
        ann.patch(path, json={"title": "two", "if_revision": 1}),  # which would change nothing
        ann.put(path, json={"if_revision": 1}),
        ann.put(path, json={"title": "three", "if_revision": 3}),
        ann.put(path, json={"title": "three", "if_revision": 10**18 - 1}),
        ann.delete(f"{path}?if_revision=1"),
    ):
        assert (refused.status_code, refused.json["code"]) == (409, "revision-conflict")
        assert refused.json["current"] == changed
    assert ann.get(path).json["data"] == changed
    assert ann.put(path, json={"if_revision": 2}).json["data"] == changed
    assert ann.delete(f"{path}?if_revision=2").status_code == 204
    assert ann.delete(f"{path}?if_revision=2").status_code == 404


@pytest.mark.parametrize("raw", ["-1", "1.5", "true", '"1"', "null", "1" + "0" * 18, "9" * 400])
def test_an_if_revision_is_a_whole_number(ann, raw):
    path = ann.path_of(ann.add())
    body = '{"if_revision": %s}' % raw  # noqa: UP031
    answer = ann.put(path, data=body, content_type="application/json")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["if_revision"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("if_revision=", ["if_revision"]),
        ("if_revision=-1", ["if_revision"]),
        ("if_revision=01", ["if_revision"]),
        ("if_revision=1.0", ["if_revision"]),
        ("if_revision=%2B1", ["if_revision"]),
        ("if_revision=1%00", ["if_revision"]),
        ("if_revision=%D9%A1", ["if_revision"]),
        ("if_revision=" + "1" * 400, ["if_revision"]),
        ("if_revision=1&if_revision=1", ["if_revision"]),
        ("if_revison=1", ["if_revison"]),
        ("if_revision=1&force=1", ["force"]),
        ("If_Revision=1&limit=", ["If_Revision", "limit"]),
    ],
)
def test_a_deletion_takes_no_other_query(ann, query, fields):
    path = ann.path_of(ann.add())
    answer = ann.delete(f"{path}?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert [error["field"] for error in answer.json["errors"]] == fields
    assert ann.get(path).status_code == 200


def test_updated_at_never_moves_backwards(ann, superuser):
    task = ann.add()
    superuser.execute(
        "UPDATE tasks SET updated_at ="
        " (updated_at AT TIME ZONE 'UTC' + interval '1 hour') AT TIME ZONE 'UTC' WHERE user_id = %s",
        [ann.id],
    )
    ahead = ann.get(ann.path_of(task)).json["data"]["updated_at"]
    done = ann.patch(f"{ann.path_of(task)}/complete").json["data"]
    assert done["updated_at"] == done["completed_at"] == ahead
    renamed = ann.put(ann.path_of(task), json={"title": "y"}).json["data"]
    assert (renamed["updated_at"], renamed["revision"]) == (ahead, 3)


def test_parallel_changes_take_one_each_and_the_last_one_stays(ann):
    path = ann.path_of(ann.add("0"))
    answers = at_once(
        12, lambda number: ann.client.application.test_client().put(
            path, json={"title": f"by {number}"}, headers={"Authorization": f"Bearer {ann.token}"}
        ).json["data"]
    )  # fmt: skip
    by_revision = sorted(answers, key=lambda task: task["revision"])
    assert [task["revision"] for task in by_revision] == list(range(2, 14))
    assert [task["updated_at"] for task in by_revision] == sorted(
        task["updated_at"] for task in answers
    )
    assert ann.get(path).json["data"] == by_revision[-1]


def test_of_parallel_changes_from_one_revision_one_is_made(ann):
    path = ann.path_of(ann.add())
    answers = at_once(
        8, lambda number: ann.client.application.test_client().put(
            path,
            json={"title": f"by {number}", "if_revision": 1},
            headers={"Authorization": f"Bearer {ann.token}"},
        )
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    [made] = [answer.json["data"] for answer in answers if answer.status_code == 200]
    assert all(answer.json["current"] == made for answer in answers if answer.status_code == 409)


@pytest.mark.parametrize("counter", ["none", "older version's", "in step"])
@pytest.mark.parametrize("first", ["get", "list", "page", "update", "complete", "delete", "create"])
def test_tasks_without_a_revision_are_numbered_first_oldest_first(ann, superuser, counter, first):
    """Tasks that are older than revisions, or were added by a DBA or an older version of the service."""
    superuser.execute("DELETE FROM task_counts WHERE user_id = %s", [ann.id])
    for minute in (2, 1, 3):
        superuser.execute(
            "INSERT INTO tasks (user_id, title, created_at) VALUES (%s, %s, %s)",
            [ann.id, f"ü{minute}", f"2026-01-01 00:0{minute}:00+00"],
        )
    if counter != "none":
        numbered = 3 if counter == "in step" else None
        superuser.execute(
            "INSERT INTO task_counts (user_id, tasks, numbered) VALUES (%s, 3, %s)",
            [ann.id, numbered],
        )
    if counter == "in step" and first not in ("get", "list", "page"):
        return  # a change does not look at other tasks
    account = ann.get(f"/api/{ann.id}").json["data"]
    if counter != "in step":
        assert (account["tasks"], account["text_bytes"]) == (3, 9)
    [[task_id]] = superuser.execute("SELECT id FROM tasks WHERE title = 'ü2'").fetchall()
    path = f"{ann.tasks}/{task_id}"
    answer = {
        "get": lambda: ann.get(path),
        "list": lambda: ann.get(ann.tasks),
        "page": lambda: ann.get(f"{ann.tasks}?limit=5"),
        "update": lambda: ann.put(path, json={"title": "y"}),
        "complete": lambda: ann.patch(f"{path}/complete"),
        "delete": lambda: ann.delete(path),
        "create": lambda: ann.post(ann.tasks, json={"title": "y"}),
    }[first]()
    assert answer.status_code in (200, 201, 204)
    if first == "get":
        assert answer.json["data"]["revision"] == 2
    elif first in ("list", "page"):
        assert answer.json["meta"]["revision"] == 3
        assert [task["revision"] for task in answer.json["data"]] == [3, 2, 1]
    else:
        assert latest(ann) == 4
    ann.delete(path)
    kept = {task["title"]: task["revision"] for task in ann.get(ann.tasks).json["data"]}
    assert (kept["ü1"], kept["ü3"]) == (1, 3)
    held = sum(len(title.encode()) for title in kept)
    account = ann.get(f"/api/{ann.id}").json["data"]
    assert (account["tasks"], account["text_bytes"]) == (len(kept), held)


def test_what_an_older_version_adds_or_deletes_is_counted_and_numbered(ann, superuser):
    """Its statements move tasks alone in the user's row of task_counts."""
    task = ann.add("kept")
    gone = ann.add("gone")
    superuser.execute("DELETE FROM tasks WHERE id = %s", [gone["id"]])
    superuser.execute("UPDATE task_counts SET tasks = tasks - 1 WHERE user_id = %s", [ann.id])
    assert ann.put(ann.path_of(task), json={"title": "y"}).json["data"]["revision"] == 4
    assert ann.get(f"/api/{ann.id}").json["data"]["text_bytes"] == 1
    superuser.execute("INSERT INTO tasks (user_id, title) VALUES (%s, 'new')", [ann.id])
    superuser.execute("UPDATE task_counts SET tasks = tasks + 1 WHERE user_id = %s", [ann.id])
    assert latest(ann) == 6
    assert ann.get(f"/api/{ann.id}").json["data"]["text_bytes"] == 4
    [row] = superuser.execute(
        "SELECT forgotten_revision FROM task_counts WHERE user_id = %s", [ann.id]
    ).fetchall()
    assert row == (5,)  # nobody knows what was deleted up to there, and nobody has seen 5
