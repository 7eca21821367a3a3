"""Random batches against a model of a user's tasks: results, revisions, quotas and the counter."""

import random
import uuid
from typing import Any

import pytest

from support.accounts import Account
from support.at_once import at_once
from support.batches import results, send

pytestmark = pytest.mark.contract
MAX_TASKS, MAX_TEXT = 8, 60


class Model:
    """What the API says that batches do, one operation after the other."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.revision = 0

    def text(self) -> int:
        return sum(_bytes(task) for task in self.tasks.values())

    def do(self, operation: dict[str, Any]) -> tuple[int, Any]:
        """The status, and the task's fields or the code."""
        return getattr(self, operation["op"])(**{k: v for k, v in operation.items() if k != "op"})

    def create(self, title: str, **fields: Any) -> tuple[int, Any]:
        task_id = fields.pop("id", None)
        if task_id in self.tasks:
            return 200, self.tasks[task_id]
        if task_id in self.deleted:
            return 409, "task-deleted"
        task = {"title": title, "notes": None, "tags": [], "is_completed": False} | fields
        if len(self.tasks) >= MAX_TASKS or self.text() + _bytes(task) > MAX_TEXT:
            return 409, "task-quota-exceeded"
        self.revision += 1
        task["revision"] = self.revision
        self.tasks[task_id or str(uuid.uuid4())] = task
        return 201, dict(task)

    def update(self, id: str, if_revision: int | None = None, **fields: Any) -> tuple[int, Any]:  # noqa: A002
        if id not in self.tasks:
            return 404, "not-found"
        task = self.tasks[id]
        if if_revision not in (None, task["revision"]):
            return 409, "revision-conflict"
        changed = task | fields
        growth = _bytes(changed) - _bytes(task)
        if changed == task:
            return 200, dict(task)
        if growth > 0 and self.text() + growth > MAX_TEXT:
            return 409, "task-quota-exceeded"
        self.revision += 1
        self.tasks[id] = changed | {"revision": self.revision}
        return 200, dict(self.tasks[id])

    def complete(self, id: str) -> tuple[int, Any]:  # noqa: A002
        return self.update(id, is_completed=True)

    def delete(self, id: str, if_revision: int | None = None) -> tuple[int, Any]:  # noqa: A002
        if id not in self.tasks:
            return 404, "not-found"
        if if_revision not in (None, self.tasks[id]["revision"]):
            return 409, "revision-conflict"
        self.revision += 1
        del self.tasks[id]
        self.deleted.add(id)
        return 204, None


def _bytes(task: dict[str, Any]) -> int:
    texts = (task["title"], task["notes"] or "", *task["tags"])
    return sum(len(text.encode()) for text in texts)


def random_operation(random: random.Random, ids: list[str]) -> dict[str, Any]:
    kind = random.choice(("create", "create", "create", "update", "update", "complete", "delete"))
    operation: dict[str, Any] = {"op": kind}
    if kind != "create" or random.random() < 0.8:
        operation["id"] = random.choice(ids)
    if kind == "create" or (kind == "update" and random.random() < 0.7):
        operation["title"] = random.choice(("x", "ä" * 5, "y" * 12, "z" * 25))
    if kind in ("create", "update") and random.random() < 0.4:
        operation["notes"] = random.choice((None, "n", "n" * 15))
    if kind in ("create", "update") and random.random() < 0.3:
        operation["tags"] = random.choice(([], ["a", "ü"], ["long" * 3]))
    if kind == "update" and random.random() < 0.3:
        operation["is_completed"] = random.choice((True, False))
    if kind in ("update", "delete") and random.random() < 0.3:
        operation["if_revision"] = random.randint(0, 40)
    return operation


@pytest.fixture
def small(make_app, sign_up) -> Account:
    account: Account = sign_up()
    app = make_app(max_tasks_per_user=MAX_TASKS, max_text_per_user=MAX_TEXT)
    account.client = app.test_client()
    return account


@pytest.mark.parametrize("seed", range(12))
def test_batches_do_what_the_model_does(small, superuser, seed):
    chance, model = random.Random(seed), Model()
    ids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(10)]
    for number in range(12):
        operations = [random_operation(chance, ids) for _ in range(chance.randint(1, 20))]
        expected = [model.do(operation) for operation in operations]
        sent = [
            operation
            | (
                {"id": operation["id"].upper()}
                if chance.random() < 0.2 and "id" in operation
                else {}
            )
            for operation in operations
        ]
        if number % 2:
            headers = {"Idempotency-Key": f"k{number}"}
            first = send(small, *sent, headers=headers)
            found = first.json["data"]
            assert send(small, *sent, headers=headers).json["data"] == found
        else:
            found = results(small, *sent)
        for operation, result, (status, told) in zip(operations, found, expected, strict=True):
            assert result["status"] == status, (operation, result, told)
            if isinstance(told, str):
                assert result == {"status": status, "code": told}, operation
            elif told:
                assert {name: result["task"][name] for name in told} == told, operation
                if "id" in operation:
                    assert result["task"]["id"] == operation["id"]
        listed = small.get(small.tasks).json
        assert listed["meta"]["revision"] == model.revision
        assert sorted(task["revision"] for task in listed["data"]) == sorted(
            task["revision"] for task in model.tasks.values()
        )
        account = small.get(f"/api/{small.id}").json["data"]
        assert (account["tasks"], account["text_bytes"]) == (len(model.tasks), model.text())
    counted = superuser.execute(
        "SELECT tasks, numbered, deletions FROM task_counts WHERE user_id = %s", [small.id]
    ).fetchone()
    assert counted == (len(model.tasks), len(model.tasks), len(model.deleted))


def test_parallel_batches_and_single_calls_keep_the_quotas_and_the_revisions(
    make_app, sign_up, superuser
):
    account = sign_up()
    app = make_app(max_tasks_per_user=15, max_text_per_user=60)
    ids = [str(uuid.uuid4()) for _ in range(6)]

    def work(number: int) -> list[int]:
        chance = random.Random(number)
        client = app.test_client()
        headers = {"Authorization": f"Bearer {account.token}"}
        taken = []
        for _ in range(8):
            operations: list[dict[str, Any]] = [
                {"op": "create", "title": "x" * chance.randint(1, 9)} for _ in range(3)
            ]
            operations += [
                {"op": "create", "title": "y", "id": chance.choice(ids)},
                {"op": "delete", "id": chance.choice(ids)},
                {"op": "update", "id": chance.choice(ids), "title": "z" * chance.randint(1, 9)},
            ]
            if chance.random() < 0.5:
                body = {"operations": chance.sample(operations, 5)}
                answer = client.post(f"{account.tasks}/batch", json=body, headers=headers)
                assert answer.status_code in (200, 503)
                if answer.status_code == 200:
                    taken += [
                        result["task"]["revision"]
                        for result in answer.json["data"]
                        if result["status"] == 201
                    ]
            else:
                answer = client.post(account.tasks, json={"title": "w" * 3}, headers=headers)
                if answer.status_code == 201:
                    taken.append(answer.json["data"]["revision"])
        return taken

    found = at_once(6, work)
    revisions = [revision for taken in found for revision in taken]
    assert len(revisions) == len(set(revisions)) > 5
    tasks = account.get(account.tasks).json["data"]
    assert len(tasks) <= 15
    text = sum(len(task["title"].encode()) for task in tasks)
    assert text <= 60
    row = superuser.execute(
        "SELECT tasks, numbered, text_bytes, revision FROM task_counts WHERE user_id = %s",
        [account.id],
    ).fetchone()
    assert row[:3] == (len(tasks), len(tasks), text)
    assert row[3] >= max(revisions)
