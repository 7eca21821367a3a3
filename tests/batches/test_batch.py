"""POST …/tasks/batch: many changes in one call, one transaction, in the order sent."""

import json
from typing import Any

import pytest

from support.accounts import Account
from support.batches import complete, create, delete, new_id, results, update

pytestmark = pytest.mark.contract


def revision(who: Account) -> int:
    return who.get(who.tasks).json["meta"]["revision"]


def refusal(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "code": code}


NOT_FOUND = refusal(404, "not-found")
CONFLICT = refusal(409, "revision-conflict")
FULL = refusal(409, "task-quota-exceeded")
DELETED = refusal(409, "task-deleted")


# --- each operation does what the single call does ---


def test_a_create_is_as_the_single_call(ann):
    fields = {
        "title": "  Buy oat milk\t",
        "notes": "a\r\nb",
        "due_at": "2026-12-24T18:00:00+01:00",
        "priority": 2,
        "tags": ["Shop", "shop", " x "],
    }
    single = ann.post(ann.tasks, json=fields).json["data"]
    [result] = results(ann, create(**fields))
    assert result.keys() == {"status", "task"}
    assert result["status"] == 201
    task = result["task"]
    assert task.keys() == single.keys()
    own = ("id", "created_at", "updated_at", "revision")
    assert {name: task[name] for name in task if name not in own} == {
        name: single[name] for name in single if name not in own
    }
    assert task["revision"] == single["revision"] + 1
    assert task["created_at"] == task["updated_at"] > single["created_at"]
    assert ann.get(ann.path_of(task)).json["data"] == task


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"notes": None, "due_date": None, "due_at": None, "priority": None, "tags": None},
        {"due_date": "2026-12-24", "due_at": None},
        {"notes": " \n ", "tags": []},
        {
            "title": "\U0001f600 \u202eabc \u0627",
            "notes": '"\\\n\t\u2028',
            "tags": ['"', "\\", "{}"],
        },
    ],
)
def test_absent_null_and_odd_fields_of_a_create_are_as_in_the_single_call(ann, fields):
    fields = {"title": "x"} | fields
    single = ann.post(ann.tasks, json=fields).json["data"]
    [result] = results(ann, create(**fields))
    for own in ("id", "created_at", "updated_at", "revision"):
        del single[own], result["task"][own]
    assert result == {"status": 201, "task": single}


def test_a_create_with_an_id_of_a_task_that_is_there_is_200_with_that_task(ann):
    task = ann.add("There")
    assert results(ann, create("Other", id=task["id"].upper())) == [{"status": 200, "task": task}]
    assert revision(ann) == task["revision"]


def test_the_same_new_id_twice_in_a_batch_creates_one_task(ann):
    mine = new_id()
    first, again, third = results(
        ann, create("a", id=mine), create("b", id=mine.upper()), create("c")
    )
    assert (first["status"], again["status"], third["status"]) == (201, 200, 201)
    assert again["task"] == first["task"]
    assert first["task"]["id"] == mine
    assert third["task"]["revision"] == first["task"]["revision"] + 1


def test_an_id_that_was_deleted_is_409_before_and_within_the_batch(ann):
    gone, mine = ann.add("Gone"), ann.add("Mine")
    ann.delete(ann.path_of(gone))
    before = revision(ann)
    found = results(
        ann,
        create(id=gone["id"]),
        delete(mine["id"]),
        create(id=mine["id"]),
        create(id=gone["id"].upper()),
    )
    assert found == [DELETED, {"status": 204}, DELETED, DELETED]
    assert revision(ann) == before + 1


def test_another_users_ids_are_not_found_and_can_be_used(ann, bob):
    foreign = bob.add("Bob's")
    assert (
        results(
            ann,
            update(foreign["id"], title="x"),
            complete(foreign["id"]),
            delete(foreign["id"]),
        )
        == [NOT_FOUND] * 3
    )
    [result] = results(ann, create("Ann's", id=foreign["id"]))
    assert (result["status"], result["task"]["user_id"]) == (201, ann.id)
    assert bob.get(bob.path_of(foreign)).json["data"] == foreign


def test_an_update_changes_keeps_and_clears_as_the_single_call(ann):
    task = ann.post(
        ann.tasks, json={"title": "a", "notes": "n", "due_date": "2026-12-24", "tags": ["t"]}
    ).json["data"]
    moment = "2026-12-24T18:00:00.000000Z"
    changed, cleared, same = results(
        ann,
        update(task["id"].upper(), title="b", due_at=moment, priority=3, is_completed=True),
        update(task["id"], notes=None, due_at=None, priority=None, tags=None, is_completed=False),
        update(task["id"], title="b"),
    )
    assert changed["task"] == task | {
        "title": "b",
        "due_date": None,
        "due_at": moment,
        "priority": 3,
        "is_completed": True,
        "completed_at": changed["task"]["completed_at"],
        "updated_at": changed["task"]["updated_at"],
        "revision": task["revision"] + 1,
    }
    assert changed["task"]["completed_at"] is not None
    assert cleared["task"] == changed["task"] | {
        "notes": None,
        "due_at": None,
        "priority": 0,
        "tags": [],
        "is_completed": False,
        "completed_at": None,
        "revision": task["revision"] + 2,
    }
    assert same == cleared
    assert ann.get(ann.path_of(task)).json["data"] == same["task"]


def test_a_completed_task_stays_as_it_is(ann):
    task = ann.add()
    first, second = results(ann, complete(task["id"]), complete(task["id"].upper()))
    assert first == second
    assert first["status"] == 200
    assert first["task"]["is_completed"]
    assert first["task"]["revision"] == task["revision"] + 1


def test_a_deleted_task_is_gone_and_a_second_time_not_found(ann):
    task = ann.add()
    assert results(
        ann, delete(task["id"]), delete(task["id"]), update(task["id"]), complete(task["id"])
    ) == [{"status": 204}, NOT_FOUND, NOT_FOUND, NOT_FOUND]
    assert ann.get(ann.tasks).json["data"] == []


@pytest.mark.parametrize("stale", [0, 1, 10**18 - 1])
def test_a_stale_if_revision_is_a_conflict_without_the_task(ann, stale):
    ann.add()
    task = ann.add("There")
    assert results(
        ann,
        update(task["id"], title="There", if_revision=stale),
        delete(task["id"], if_revision=stale),
        delete(task["id"], if_revision=task["revision"]),
    ) == [CONFLICT, CONFLICT, {"status": 204}]


def test_if_revision_sees_what_the_batch_has_done_before(ann):
    task = ann.add()
    first, second, third = results(
        ann,
        update(task["id"], title="a", if_revision=task["revision"]),
        update(task["id"], title="b", if_revision=task["revision"]),
        update(task["id"], title="c", if_revision=task["revision"] + 1),
    )
    assert (first["status"], second, third["status"]) == (200, CONFLICT, 200)
    assert third["task"]["title"] == "c"


# --- the order, the revisions, and what is refused ---


def test_operations_are_done_in_the_order_sent_and_each_takes_one_revision(ann):
    old, mine = ann.add("Old"), new_id()
    at = revision(ann)
    found = results(
        ann,
        create("a", id=mine),
        create("b"),
        update(mine, title="a2"),
        complete(mine),
        delete(old["id"]),
        complete(mine),  # changes nothing
        create("c"),
        update(new_id(), title="x"),  # there is none
        delete(mine),
        create("d"),
    )
    statuses = [result["status"] for result in found]
    assert statuses == [201, 201, 200, 200, 204, 200, 201, 404, 204, 201]
    taken = [result["task"]["revision"] - at if "task" in result else None for result in found]
    assert taken == [1, 2, 3, 4, None, 4, 6, None, None, 8]
    assert revision(ann) == at + 8
    assert {task["title"] for task in ann.get(ann.tasks).json["data"]} == {"b", "c", "d"}
    moments = {result["task"]["created_at"] for result in found if "task" in result}
    assert len(moments) == 1  # one transaction


def test_what_can_be_done_is_done_beside_what_is_refused(ann):
    task = ann.add()
    found = results(
        ann,
        update(new_id(), title="x"),
        create("a"),
        delete(task["id"], if_revision=0),
        create("b"),
    )
    assert [result["status"] for result in found] == [404, 201, 409, 201]
    titles = [one["title"] for one in ann.get(ann.tasks).json["data"]]
    assert sorted(titles) == sorted(["Buy oat milk", "a", "b"])


def test_a_batch_that_changes_nothing_takes_no_revision(ann):
    task = ann.add()
    before = revision(ann)
    results(
        ann,
        update(task["id"]),
        update(task["id"], title=task["title"]),
        delete(new_id()),
        create(id=task["id"]),
    )
    assert revision(ann) == before


def test_a_hundred_operations_are_taken(ann):
    found = results(ann, *[create(str(number)) for number in range(100)])
    assert [result["status"] for result in found] == [201] * 100
    assert [result["task"]["title"] for result in found] == [str(number) for number in range(100)]
    revisions = [result["task"]["revision"] for result in found]
    assert revisions == list(range(revisions[0], revisions[0] + 100))


# --- quotas ---


@pytest.fixture
def small(make_app, sign_up):
    """An account that may have five tasks, and 20 bytes of text."""
    account = sign_up()
    account.client = make_app(max_tasks_per_user=5, max_text_per_user=20).test_client()
    return account


def test_tasks_beyond_the_quota_are_refused_and_the_others_are_made(small):
    found = results(small, *[create("x") for _ in range(7)])
    assert [result["status"] for result in found] == [201] * 5 + [409] * 2
    assert found[5:] == [FULL, FULL]
    assert len(small.get(small.tasks).json["data"]) == 5


def test_a_deletion_makes_room_for_what_follows_it(small):
    tasks = [result["task"]["id"] for result in results(small, *[create("x") for _ in range(5)])]
    found = results(small, create("a"), delete(tasks[0]), create("b"), create("c"))
    assert [result["status"] for result in found] == [409, 204, 201, 409]


def test_a_shorter_text_after_one_that_does_not_fit_is_taken(small):
    found = results(
        small,
        create("x" * 10),
        create("y" * 11),
        create("ä" * 4, notes="n"),
        create("z" * 2),
        create("z"),
        create("z"),
    )
    assert [result["status"] for result in found] == [201, 409, 201, 409, 201, 409]
    assert small.get(f"/api/{small.id}").json["data"]["text_bytes"] == 20


def test_an_update_at_the_quota_of_text_is_refused_if_it_lengthens(small):
    task = small.add("x" * 10)
    found = results(
        small,
        update(task["id"], title="x" * 21),
        update(task["id"], title="x" * 20),
        create("y"),
        update(task["id"], title="x" * 19),
        create("y"),
    )
    assert [result["status"] for result in found] == [409, 200, 409, 200, 201]


def test_an_id_that_is_there_is_answered_at_the_quota_too(small):
    tasks = [result["task"] for result in results(small, *[create("x") for _ in range(5)])]
    found = results(small, create("y"), create("y", id=tasks[2]["id"]), create("y", id=new_id()))
    assert found == [FULL, {"status": 200, "task": tasks[2]}, FULL]


# --- who may, and which methods ---


def test_a_token_that_only_reads_is_403_before_the_body_is_looked_at(ann):
    made = {}
    for scope in ("read", "write"):
        answer = ann.post(f"/api/{ann.id}/tokens", json={"name": scope, "scope": scope})
        made[scope] = {"Authorization": f"Bearer {answer.json['data']['token']}"}
    path = f"{ann.tasks}/batch"
    body = json.dumps({"operations": [create()]})
    for data in (body, b"{", b" " * 600_000):
        for kind in ("application/json", "text/plain"):
            answer = ann.client.post(path, data=data, content_type=kind, headers=made["read"])
            assert (answer.status_code, answer.json["code"]) == (403, "insufficient-scope")
    assert ann.get(ann.tasks).json["data"] == []
    answer = ann.client.post(
        path, data=body, content_type="application/json", headers=made["write"]
    )
    assert answer.status_code == 200


def test_the_token_comes_before_the_user_and_the_user_before_the_body(ann, bob, client):
    path = f"{ann.tasks}/batch"
    assert client.post(path, data=b"{").status_code == 401
    assert bob.post(path, data=b"{").status_code == 403
    assert ann.post(path, data=b"{").status_code == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
def test_another_method_is_405(client, ann, method):
    for call in (client.open, lambda path, method: ann.call(method, path)):
        answer = call(f"{ann.tasks}/batch", method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("name", ["Batch", "batches", "batch ", "abatch", "batch%20", "b"])
def test_what_is_not_batch_is_an_id_that_no_task_has(ann, name):
    assert ann.get(f"{ann.tasks}/{name}").status_code == 404
    assert ann.post(f"{ann.tasks}/{name}", json={}).status_code == 405
    assert ann.patch(f"{ann.tasks}/batch/complete").status_code == 404


def test_a_session_that_has_ended_is_401_whatever_the_body_is(ann):
    ann.post("/api/auth/logout")
    for data in (json.dumps({"operations": [create()]}), b"{", b'{"operations": []}'):
        answer = ann.post(f"{ann.tasks}/batch", data=data, content_type="application/json")
        assert answer.status_code == 401
