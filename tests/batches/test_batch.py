"""POST …/tasks/batch: many changes in one call."""

import uuid

import pytest

pytestmark = pytest.mark.contract


def send(who, *operations, **rest):
    return who.post(f"{who.tasks}/batch", json={"operations": operations}, **rest)


def results(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {"data", "meta"}
    assert answer.json["meta"].keys() == {"timestamp", "request_id"}
    return answer.json["data"]


def create(title="Buy oat milk", **fields):
    return {"op": "create", "title": title, **fields}


def update(task_id, **fields):
    return {"op": "update", "id": task_id, **fields}


def complete(task_id):
    return {"op": "complete", "id": task_id}


def delete(task_id, **fields):
    return {"op": "delete", "id": task_id, **fields}


def new_id():
    return str(uuid.uuid4())


def test_it_works(ann):
    old = ann.add("Old")
    mine = new_id()
    found = results(
        send(
            ann,
            create("a", id=mine, notes="n"),
            update(mine.upper(), title="b"),
            complete(mine),
            delete(old["id"]),
            delete(old["id"]),
            create("c"),
        )
    )
    print(found)
    assert [r["status"] for r in found] == [201, 200, 200, 204, 404, 201]
    assert ann.get(f"{ann.tasks}/batch").status_code == 405
