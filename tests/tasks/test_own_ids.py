"""Ids of the client's choosing: API.md, "Fields"."""

import json
import uuid

import pytest

from support.at_once import at_once

pytestmark = pytest.mark.contract


def create(account, task_id, title="x", **rest):
    headers = rest.pop("headers", {})
    return account.post(account.tasks, json={"title": title, "id": task_id} | rest, headers=headers)


@pytest.mark.parametrize(
    "task_id",
    ["0190b7f2-7a2c-7cc3-98c4-dc0c0c07398f", "00000000-0000-0000-0000-000000000000",
     "ffffffff-ffff-ffff-ffff-ffffffffffff", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"],
)  # fmt: skip
def test_a_task_can_have_any_uuid(ann, task_id):
    answer = create(ann, task_id, notes="n", tags=["a"])
    assert answer.status_code == 201
    task = answer.json["data"]
    assert (task["id"], task["revision"]) == (task_id.lower(), 1)
    assert answer.headers["Location"] == ann.path_of(task)
    assert ann.get(answer.headers["Location"]).json["data"] == task


@pytest.mark.parametrize(
    "task_id",
    ["", "x", "6ba7b8109dad11d180b400c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", 1, None, [],
     "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8 "],
)  # fmt: skip
def test_anything_else_is_422(ann, task_id):
    answer = create(ann, task_id)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["id"]


def test_the_same_id_again_is_200_with_the_task_as_it_is(make_app, ann):
    task = create(ann, str(uuid.uuid4()), "first").json["data"]
    task = ann.put(ann.path_of(task), json={"title": "changed"}).json["data"]
    answer = create(ann, task["id"].upper(), "second", priority=3)
    assert (answer.status_code, answer.json["data"]) == (200, task)
    assert "Location" not in answer.headers
    meta = ann.get(ann.tasks).json["meta"]
    assert (meta["count"], meta["revision"]) == (1, 2)
    ann.client = make_app(max_tasks_per_user=1, max_text_per_user=1).test_client()
    assert create(ann, task["id"], "second").json["data"] == task
    assert create(ann, str(uuid.uuid4())).json["code"] == "task-quota-exceeded"


def test_the_id_of_a_deleted_task_is_409_for_30_days(ann, superuser):
    task = create(ann, str(uuid.uuid4())).json["data"]
    ann.delete(ann.path_of(task))
    refused = create(ann, task["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "task-deleted")
    assert "current" not in refused.json
    superuser.execute(
        "UPDATE deleted_tasks SET deleted_at ="
        " (deleted_at AT TIME ZONE 'UTC' - interval '30 days') AT TIME ZONE 'UTC' WHERE user_id = %s",
        [ann.id],
    )
    again = create(ann, task["id"])
    assert (again.status_code, again.json["data"]["revision"]) == (201, 3)
    assert superuser.execute("SELECT FROM deleted_tasks").fetchall() == []
    ann.delete(ann.path_of(task))
    assert create(ann, task["id"]).json["code"] == "task-deleted"


def test_ids_are_each_users_own(ann, bob):
    living, gone = (create(ann, str(uuid.uuid4())).json["data"] for _ in range(2))
    ann.delete(ann.path_of(gone))
    for task in (living, gone):
        answer = create(bob, task["id"], "bob's")
        assert (answer.status_code, answer.json["data"]["user_id"]) == (201, bob.id)
    assert ann.get(ann.path_of(living)).json["data"] == living
    bob.delete(bob.path_of(living))
    assert ann.get(ann.path_of(living)).status_code == 200


def test_of_parallel_creates_with_one_id_one_creates(ann):
    task_id = str(uuid.uuid4())
    answers = at_once(
        8, lambda number: ann.client.application.test_client().post(
            ann.tasks,
            json={"title": f"by {number}", "id": task_id},
            headers={"Authorization": f"Bearer {ann.token}"},
        )
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["data"]["title"] for answer in answers}) == 1
    assert ann.get(ann.tasks).json["meta"]["revision"] == 1


def test_with_a_key_the_first_answer_comes_again_whatever_became_of_the_task(ann):
    task_id = str(uuid.uuid4())
    key = {"Idempotency-Key": "created"}
    body = {
        "notes": "n\r\n",
        "due_at": "2026-12-24T18:00:00.5+01:00",
        "priority": 2,
        "tags": ["b", "B", "a"],
    }
    made = create(ann, task_id, headers=key, **body)
    assert made.status_code == 201
    task = made.json["data"]
    assert ann.get(ann.path_of(task)).json["data"] == task
    there = create(ann, task_id, "other", headers={"Idempotency-Key": "there"})
    assert (there.status_code, there.json["data"]) == (200, task)
    ann.put(ann.path_of(task), json={"title": "changed"})
    for _ in range(2):
        again = create(ann, task_id, headers=key, **body)
        assert (again.status_code, again.json["data"]) == (201, task)
        assert again.headers["Idempotent-Replayed"] == "true"
        again = create(ann, task_id, "other", headers={"Idempotency-Key": "there"})
        assert (again.status_code, again.json["data"]) == (200, task)
        assert again.headers["Idempotent-Replayed"] == "true"
        ann.delete(ann.path_of(task))
    refused = create(ann, task_id, headers={"Idempotency-Key": "new"})
    assert refused.json["code"] == "task-deleted"
    used = ann.post(ann.tasks, json={"title": "x"}, headers={"Idempotency-Key": "new"})
    assert used.status_code == 201  # what is refused uses up no key
    assert (
        create(ann, str(uuid.uuid4()), headers=key, **body).json["code"] == "idempotency-key-reused"
    )
    assert json.loads(ann.get(ann.tasks).text)["meta"]["revision"] == 4
