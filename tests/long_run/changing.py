"""A user's changes of tasks: one at a time, on condition, in batches, and sent again."""

import time
import uuid
from collections import deque
from typing import Any, NamedTuple

from support import batches

from .hand import Hand
from .model import Task, need

KEPT_S = 30  # so long a key or a deletion is not aged for certain, see upkeep.py


class Sent(NamedTuple):
    """What was sent with an Idempotency-Key, and what it was answered."""

    at: float
    path: str
    body: Any
    key: str
    answer: Any


class Changes:
    """What a user does to tasks. Each method raises Wrong."""

    def __init__(self, hand: Hand) -> None:
        self._hand, self._model, self._path = hand, hand.model, hand.path
        self._sent: deque[Sent] = deque(maxlen=5)
        self._deleted: deque[tuple[float, str]] = deque(maxlen=5)

    def settle(self) -> None:
        """Have as many tasks as usual, by batches."""
        while (missing := self._hand.usual - len(self._model.tasks)) > 0:
            self._run([batches.create(**self._hand.fields()) for _ in range(min(100, missing))])

    def create(self) -> None:
        """With an id or a key, or neither."""
        sent, headers = self._hand.fields(), {}
        kind = self._hand.random.choice(("create", "create with an id", "create with a key"))
        if kind == "create with an id":
            sent["id"] = batches.new_id()
        elif kind == "create with a key":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        made = self._hand.write(201, kind, "POST", self._path, sent, headers)["data"]
        self._model.created(sent, made)
        if headers:
            self._sent.append(
                Sent(time.monotonic(), self._path, sent, headers["Idempotency-Key"], made)
            )

    def update(self) -> None:
        """Some fields."""
        if task := self._hand.any_task():
            changes = self._hand.changes(task)
            method = self._hand.random.choice(("PUT", "PATCH"))
            answer = self._hand.write(200, "update", method, f"{self._path}/{task['id']}", changes)
            self._model.changed(changes, answer["data"])

    def careful(self) -> None:
        """Change it on condition; then with the revision that it had before."""
        if not (task := self._hand.any_task()):
            return
        path, known = f"{self._path}/{task['id']}", {"if_revision": task["revision"]}
        changes = self._hand.changes(task) | known
        answer = self._hand.write(200, "update on condition", "PATCH", path, changes)
        self._model.changed(changes, answer["data"])
        if answer["data"]["revision"] > task["revision"]:
            kind, token = "conflict", self._hand.token(to_write=True)
            refused = self._hand.asker.refused
            problem = refused(409, "revision-conflict", kind, "PUT", path, changes, token=token)
            need(problem["current"] == answer["data"], f"current: {problem}")
            late = f"{path}?if_revision={task['revision']}"
            refused(409, "revision-conflict", kind, "DELETE", late, token=token)

    def complete(self) -> None:
        """Again too."""
        if task := self._hand.any_task():
            path = f"{self._path}/{task['id']}/complete"
            answer = self._hand.write(200, "complete", "PATCH", path)
            self._model.changed({"is_completed": True}, answer["data"])

    def delete(self) -> None:
        """And it is gone."""
        if task := self._hand.any_task():
            path = f"{self._path}/{task['id']}"
            self._hand.write(204, "delete", "DELETE", path)
            self._forget(task["id"])
            self._hand.asker.refused(
                404, "not-found", "refused", "GET", path, token=self._hand.token()
            )

    def batch(self) -> None:
        """Of all kinds, in any order."""
        operations: list[Task] = []
        for _ in range(self._hand.random.randint(1, 8)):
            task, kind = (
                self._hand.any_task(),
                self._hand.random.choice(("create", "update", "complete", "delete")),
            )
            if kind == "create" or not task:
                chosen = self._hand.random.choice(({}, {"id": batches.new_id()}))
                operations.append(batches.create(**self._hand.fields(), **chosen))
            elif kind == "update":
                condition = self._hand.random.choice(({}, {"if_revision": task["revision"]}))
                operations.append(
                    batches.update(task["id"], **self._hand.changes(task), **condition)
                )
            else:
                operations.append(
                    batches.complete(task["id"])
                    if kind == "complete"
                    else batches.delete(task["id"])
                )
        if len(self._model.tasks) > self._hand.usual:
            operations = [one for one in operations if one["op"] != "create"] or operations[:1]
        self._run(operations)

    def _run(self, operations: list[Task]) -> None:
        body, path = {"operations": operations}, f"{self._path}/batch"
        key = self._hand.random.choice(("", str(uuid.uuid4())))
        kind, headers = "batch", {}
        if key:
            kind, headers = "batch with a key", {"Idempotency-Key": key}
        results = self._hand.write(200, kind, "POST", path, body, headers)["data"]
        need(len(results) == len(operations), f"{len(results)} results of {operations}")
        had = set(self._model.tasks)
        for operation, result in zip(operations, results, strict=True):
            self._model.done(operation, result)
        now = time.monotonic()
        self._deleted += [(now, one) for one in had - set(self._model.tasks)]
        if key and len(operations) < 10:
            self._sent.append(Sent(now, path, body, key, results))

    def repeat(self) -> None:
        """Send again what was sent with a key, and something else with that key."""
        fresh = [one for one in self._sent if time.monotonic() - one.at < KEPT_S]
        if not fresh:
            return
        one, token = self._hand.random.choice(fresh), self._hand.token(to_write=True)
        headers = {"Idempotency-Key": one.key}
        reply = self._hand.asker.ask("repeat", "POST", one.path, one.body, headers, token=token)
        need(reply.status == (201 if one.path == self._path else 200), f"again: {reply}")
        need(reply.headers["Idempotent-Replayed"] == "true", f"again: {reply.headers}")
        need(reply.json["data"] == one.answer, f"not the answer of the first time: {one} {reply}")
        other = (
            {"title": "Another"} if one.path == self._path else {"operations": [batches.create()]}
        )
        code = "idempotency-key-reused"
        self._hand.asker.refused(
            422, code, "refused", "POST", one.path, other, headers, token=token
        )

    def nothing(self) -> None:
        """What changes nothing: a create with an id that is there, or was; an update with what it has."""
        if task := self._hand.any_task():
            same = {"title": task["title"], "id": task["id"]}
            answer = self._hand.write(200, "create with an id", "POST", self._path, same)
            need(answer["data"] == task, f"not the task that is there: {answer}")
            have = {"title": task["title"], "priority": task["priority"]}
            answer = self._hand.write(200, "update", "PATCH", f"{self._path}/{task['id']}", have)
            need(answer["data"] == task, f"nothing was to change: {answer}")
        if fresh := [one for at, one in self._deleted if time.monotonic() - at < KEPT_S]:
            gone = {"title": "Back again", "id": self._hand.random.choice(fresh)}
            refused, token = self._hand.asker.refused, self._hand.token(to_write=True)
            refused(409, "task-deleted", "conflict", "POST", self._path, gone, token=token)

    def _forget(self, task_id: str) -> None:
        self._model.deleted(task_id)
        self._deleted.append((time.monotonic(), task_id))
