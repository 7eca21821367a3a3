"""The quota of text: bytes in UTF-8 of titles, notes and tags, counted exactly."""

import uuid

import pytest

from support.at_once import at_once

pytestmark = pytest.mark.contract


@pytest.fixture
def small(make_app, sign_up):
    """An account that may have 20 bytes of text."""
    account = sign_up()
    account.client = make_app(max_text_per_user=20).test_client()
    return account


def held(account):
    return account.get(f"/api/{account.id}").json["data"]["text_bytes"]


def refused(answer):
    return (answer.status_code, answer.json.get("code")) == (409, "task-quota-exceeded")


def test_every_text_counts_by_its_bytes_and_what_is_deleted_does_not(ann):
    sizes = {}
    for fields in (
        {"title": "äö"},
        {"title": "x", "notes": "\U0001f600\r\n"},
        {"title": "x", "tags": ["ab", "ü"], "id": str(uuid.uuid4())},
    ):
        task = ann.post(ann.tasks, json=fields).json["data"]
        texts = (task["title"], task["notes"] or "", *task["tags"])
        sizes[task["id"]] = sum(len(text.encode()) for text in texts)
        assert held(ann) == sum(sizes.values())
    assert list(sizes.values()) == [4, 6, 5]
    for task_id in sizes:
        path = f"{ann.tasks}/{task_id}"
        ann.put(path, json={"title": "€", "notes": None, "tags": ["a"]})
        ann.patch(f"{path}/complete")
        sizes[task_id] = 4
        assert held(ann) == sum(sizes.values())
    for task_id in list(sizes):
        ann.delete(f"{ann.tasks}/{task_id}")
        del sizes[task_id]
        assert held(ann) == sum(sizes.values())


def test_what_goes_beyond_is_409_and_changes_nothing(small):
    task = small.post(small.tasks, json={"title": "x" * 10}).json["data"]
    path = small.path_of(task)
    for answer in (
        small.post(small.tasks, json={"title": "x" * 11}),
        small.post(small.tasks, json={"title": "x" * 11}, headers={"Idempotency-Key": "k"}),
        small.post(small.tasks, json={"title": "x" * 11, "id": str(uuid.uuid4())}),
        small.put(path, json={"notes": "\u00e4" * 6}),
        small.put(path, json={"title": "x", "tags": ["x" * 10, "y" * 10]}),
    ):
        assert refused(answer)
    assert small.get(path).json["data"] == task
    assert small.put(path, json={"notes": "\u00e4" * 5}).status_code == 200
    assert held(small) == 20


def test_a_change_that_does_not_lengthen_is_fine_beyond_the_quota(ann, make_app):
    task = ann.post(ann.tasks, json={"title": "x" * 30}).json["data"]
    ann.client = make_app(max_text_per_user=20).test_client()
    path = ann.path_of(task)
    assert ann.patch(f"{path}/complete").status_code == 200
    assert ann.put(path, json={"title": "y" * 30, "priority": 3}).status_code == 200
    assert refused(ann.put(path, json={"title": "y" * 31}))
    assert ann.put(path, json={"title": "y" * 29}).status_code == 200
    assert refused(ann.put(path, json={"title": "y" * 30}))
    assert refused(ann.post(ann.tasks, json={"title": "x"}))
    assert ann.put(path, json={"title": "y" * 20}).status_code == 200


def test_it_holds_under_parallel_changes(small):
    tasks = [small.post(small.tasks, json={"title": "x"}).json["data"] for _ in range(4)]

    def change(number):
        client = small.client.application.test_client()
        headers = {"Authorization": f"Bearer {small.token}"}
        if number % 2:
            return client.post(small.tasks, json={"title": "x" * 5}, headers=headers)
        path = small.path_of(tasks[number // 2 % 4])
        return client.put(path, json={"notes": "y" * 5}, headers=headers)

    answers = at_once(12, change)
    assert sorted(answer.status_code for answer in answers)[-1] == 409
    [*kept] = small.get(small.tasks).json["data"]
    size = sum(len(task["title"]) + len(task["notes"] or "") for task in kept)
    assert size == held(small) == 19
