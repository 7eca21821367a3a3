"""A user at work: in a step a request or some, each answer compared with the model."""

import random
import time
import uuid
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import urlencode

from support import batches
from support.copies import Answer, Reader
from support.live_service import LiveUser

from .asking import Asker
from .door import Door
from .model import FILTERS, ORDERS, Model, Task, need

KEPT_S = 30  # so long a key or a deletion is not aged for certain, see upkeep.py
MOST_PAGES = 5000  # of a copy that is brought up to date


class Sent(NamedTuple):
    """What was sent with an Idempotency-Key, and what it was answered."""

    at: float
    path: str
    body: Any
    key: str
    answer: Any


class User:
    """One person with two copies, who does one thing after the other."""

    def __init__(
        self, asker: Asker, account: LiveUser, number: int, tasks: int, notes: int
    ) -> None:
        """`tasks`: how many there are about; `notes`: how long notes are."""
        self.account, self.neighbour = account, account.id
        self._random = random.Random(number)
        self._asker = asker
        self._usual, self._notes = tasks, notes
        self.model = Model(account.id)
        self.door = Door(asker, account, self._random)
        log = self.model.log
        self.copies = [Reader(self._ask_for_copy, log, 2 * number + one) for one in (0, 1)]
        self._tags: dict[str, tuple[str, int]] = {}  # path: its ETag, and the revision then
        self._sent: deque[Sent] = deque(maxlen=5)
        self._deleted: deque[tuple[float, str]] = deque(maxlen=5)
        self._count = 0
        self._steps = {
            self._create: 10, self._update: 14, self._careful: 6, self._complete: 5, self._delete: 10,
            self._batch: 8, self._repeat: 4, self._nothing: 3, self._get: 14, self._list: 6,
            self._filter: 8, self._pages: 4, self._follow: 12, self._follow_late: 1, self._export: 1,
            self.door.sign_in_or_out: 1, self.door.renew: 1, self.door.make_or_end: 2, self._overstep: 1,
        }  # fmt: skip

    @property
    def path(self) -> str:
        return self.account.tasks

    def settle(self) -> None:
        """Have as many tasks as usual, by batches."""
        while len(self.model.tasks) < self._usual:
            some = min(100, self._usual - len(self.model.tasks))
            self._run([batches.create(**self._fields()) for _ in range(some)])

    def step(self) -> None:
        """One thing of all that can be done. Raises Wrong."""
        names = list(self._steps)
        chosen = self._random.choices(names, [self._steps[one] for one in names])[0]
        if chosen in (self._create, self._delete):  # as many as there were, in the long run
            chosen = self._create if len(self.model.tasks) < self._usual else self._delete
        chosen()

    def finish(self) -> list[Task]:
        """The list, once both copies are up to date: all as the model has it."""
        self._follow()
        self._follow_late()
        listed = self._asker.expect(200, "list", "GET", self.path, token=self.door.token)["data"]
        need(listed == self.model.listed(), f"the list of {self.account.id}")
        return list(listed)

    # --- changes ---

    def _create(self) -> None:
        sent, headers = self._fields(), {}
        kind = self._random.choice(("create", "create with an id", "create with a key"))
        if kind == "create with an id":
            sent["id"] = batches.new_id()
        elif kind == "create with a key":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        made = self._write(201, kind, "POST", self.path, sent, headers)["data"]
        self.model.created(sent, made)
        if headers:
            self._sent.append(
                Sent(time.monotonic(), self.path, sent, headers["Idempotency-Key"], made)
            )

    def _update(self) -> None:
        if task := self._any():
            changes = self._changes(task)
            method = self._random.choice(("PUT", "PATCH"))
            answer = self._write(200, "update", method, f"{self.path}/{task['id']}", changes)
            self.model.changed(changes, answer["data"])

    def _careful(self) -> None:
        """Change it on condition; then with the revision that it had before."""
        if not (task := self._any()):
            return
        path, known = f"{self.path}/{task['id']}", {"if_revision": task["revision"]}
        changes = self._changes(task) | known
        answer = self._write(200, "update on condition", "PATCH", path, changes)
        self.model.changed(changes, answer["data"])
        if answer["data"]["revision"] > task["revision"]:
            kind, token = "conflict", self._token(to_write=True)
            refused = self._asker.refused
            problem = refused(409, "revision-conflict", kind, "PUT", path, changes, token=token)
            need(problem["current"] == answer["data"], f"current: {problem}")
            late = f"{path}?if_revision={task['revision']}"
            refused(409, "revision-conflict", kind, "DELETE", late, token=token)

    def _complete(self) -> None:
        if task := self._any():
            path = f"{self.path}/{task['id']}/complete"
            answer = self._write(200, "complete", "PATCH", path)
            self.model.changed({"is_completed": True}, answer["data"])

    def _delete(self) -> None:
        if task := self._any():
            path = f"{self.path}/{task['id']}"
            self._write(204, "delete", "DELETE", path)
            self._forget(task["id"])
            self._asker.refused(404, "not-found", "refused", "GET", path, token=self._token())

    def _batch(self) -> None:
        operations: list[Task] = []
        for _ in range(self._random.randint(1, 8)):
            task, kind = (
                self._any(),
                self._random.choice(("create", "update", "complete", "delete")),
            )
            if kind == "create" or not task:
                chosen = self._random.choice(({}, {"id": batches.new_id()}))
                operations.append(batches.create(**self._fields(), **chosen))
            elif kind == "update":
                condition = self._random.choice(({}, {"if_revision": task["revision"]}))
                operations.append(batches.update(task["id"], **self._changes(task), **condition))
            else:
                operations.append(
                    batches.complete(task["id"])
                    if kind == "complete"
                    else batches.delete(task["id"])
                )
        if len(self.model.tasks) > self._usual:
            operations = [one for one in operations if one["op"] != "create"] or operations[:1]
        self._run(operations)

    def _run(self, operations: list[Task]) -> None:
        body, path = {"operations": operations}, f"{self.path}/batch"
        key = self._random.choice(("", str(uuid.uuid4())))
        kind, headers = "batch", {}
        if key:
            kind, headers = "batch with a key", {"Idempotency-Key": key}
        results = self._write(200, kind, "POST", path, body, headers)["data"]
        need(len(results) == len(operations), f"{len(results)} results of {operations}")
        had = set(self.model.tasks)
        for operation, result in zip(operations, results, strict=True):
            self.model.done(operation, result)
        now = time.monotonic()
        self._deleted += [(now, one) for one in had - set(self.model.tasks)]
        if key and len(operations) < 10:
            self._sent.append(Sent(now, path, body, key, results))

    def _repeat(self) -> None:
        """Send again what was sent with a key, and something else with that key."""
        fresh = [one for one in self._sent if time.monotonic() - one.at < KEPT_S]
        if not fresh:
            return
        one, token = self._random.choice(fresh), self._token(to_write=True)
        headers = {"Idempotency-Key": one.key}
        reply = self._asker.ask("repeat", "POST", one.path, one.body, headers, token=token)
        need(reply.status == (201 if one.path == self.path else 200), f"again: {reply}")
        need(reply.headers["Idempotent-Replayed"] == "true", f"again: {reply.headers}")
        need(reply.json["data"] == one.answer, f"not the answer of the first time: {one} {reply}")
        other = (
            {"title": "Another"} if one.path == self.path else {"operations": [batches.create()]}
        )
        code = "idempotency-key-reused"
        self._asker.refused(422, code, "refused", "POST", one.path, other, headers, token=token)

    def _nothing(self) -> None:
        """What changes nothing: a create with an id that is there, or was; an update with what it has."""
        if task := self._any():
            same = {"title": task["title"], "id": task["id"]}
            answer = self._write(200, "create with an id", "POST", self.path, same)
            need(answer["data"] == task, f"not the task that is there: {answer}")
            have = {"title": task["title"], "priority": task["priority"]}
            answer = self._write(200, "update", "PATCH", f"{self.path}/{task['id']}", have)
            need(answer["data"] == task, f"nothing was to change: {answer}")
        if fresh := [one for at, one in self._deleted if time.monotonic() - at < KEPT_S]:
            gone = {"title": "Back again", "id": self._random.choice(fresh)}
            refused, token = self._asker.refused, self._token(to_write=True)
            refused(409, "task-deleted", "conflict", "POST", self.path, gone, token=token)

    # --- reading ---

    def _get(self) -> None:
        if task := self._any():
            answer = self._read("get", f"{self.path}/{task['id']}", task["revision"])
            need(answer is None or answer["data"] == task, f"not {task}: {answer}")

    def _list(self) -> None:
        answer = self._read("list", self.path, self.model.revision)
        if answer:
            need(answer["data"] == self.model.listed(), "the list is another")
            count = len(self.model.tasks)
            need(answer["meta"]["count"] == count, f"count: {answer['meta']} of {count}")
            need(answer["meta"]["revision"] == self.model.revision, f"{answer['meta']}")

    def _filter(self) -> None:
        chosen = dict(self._random.sample(FILTERS, self._random.randint(1, 2)))
        order = self._random.choice(ORDERS)
        path = f"{self.path}?{urlencode(chosen | {'sort': order})}"
        answer = self._read("filtered list", path, self.model.revision)
        expected = self.model.listed(chosen.items(), order)
        need(answer is None or answer["data"] == expected, f"{path}: {answer}")

    def _pages(self) -> None:
        """All of a list, page by page."""
        chosen = dict(self._random.sample(FILTERS, self._random.randint(0, 1)))
        order = self._random.choice(ORDERS)
        limit = max(3, len(self.model.tasks) // self._random.randint(2, 5))
        query = {**chosen, "sort": order, "limit": str(limit)}
        found: list[Task] = []
        while True:
            path, token = f"{self.path}?{urlencode(query)}", self._token()
            page = self._asker.expect(200, "page", "GET", path, token=token)
            found += page["data"]
            if not page["meta"]["next_cursor"]:
                break
            need(len(page["data"]) == limit, f"{path}: {len(page['data'])} of {limit}")
            query["cursor"] = page["meta"]["next_cursor"]
        need(found == self.model.listed(chosen.items(), order), f"the pages of {query}: {found}")

    def _export(self) -> None:
        token, path = self.door.token, f"{self.door.path}/export"
        data = self._asker.expect(200, "export", "GET", path, token=token)["data"]
        need(data["tasks"] == self.model.listed(), "the tasks of the export")
        need(len(data["sessions"]) == 1 + len(self.door.others), f"{data['sessions']}")
        names = [one.name for one in self.door.api_tokens]
        need([one["name"] for one in data["api_tokens"]] == names, f"{data['api_tokens']}")
        account = self._asker.expect(200, "account", "GET", self.door.path, token=token)["data"]
        need(data["account"] == account, f"{data['account']} {account}")
        held = (account["tasks"], account["text_bytes"])
        expected = (len(self.model.tasks), self.model.text_bytes)
        need(held == expected, f"the account holds {held} instead of {expected}")

    def _follow(self) -> None:
        self._up_to_date(self.copies[0])
        path = f"/api/{self.account.id}/changes?since={self.model.revision}"
        answer = self._read("changes", path, self.model.revision)
        nothing: Task = {"tasks": [], "deleted": []}
        need(answer is None or answer["data"] == nothing, f"after the latest: {answer}")

    def _follow_late(self) -> None:
        """The other copy is away for so long that it sometimes has to start over."""
        self._up_to_date(self.copies[1])

    def _up_to_date(self, copy: Reader) -> None:
        for _ in range(MOST_PAGES):
            if copy.step():
                break
        need(
            copy.tasks == self.model.tasks,
            f"copy {copy.number} is another: {self._difference(copy)}",
        )
        need(not self.model.log.wrong, f"{self.model.log.wrong}")
        copy.states.clear()  # compared as a whole; it would grow

    def _difference(self, copy: Reader) -> list[Any]:
        ids = copy.tasks.keys() | self.model.tasks.keys()
        pairs = [(copy.tasks.get(one), self.model.tasks.get(one)) for one in ids]
        return [pair for pair in pairs if pair[0] != pair[1]][:3]

    def _overstep(self) -> None:
        self.door.overstep(self.neighbour)

    # --- how ---

    def _read(self, kind: str, path: str, mark: int) -> Any:
        """The answer; None when it is 304, which it is if and only if nothing has changed."""
        tag, then = self._tags.get(path, ("", -1))
        headers = {"If-None-Match": tag} if tag and self._random.random() < 0.7 else {}
        reply = self._asker.ask(kind, "GET", path, None, headers, token=self._token())
        if headers and then == mark:
            need((reply.status, reply.body) == (304, b""), f"{path}, unchanged: {reply}")
            return None
        need(reply.status == 200, f"{path}: {reply}")
        if len(self._tags) > 30:
            self._tags.clear()
        self._tags[path] = (reply.headers["ETag"], mark)
        return reply.json

    def _write(self, status: int, kind: str, method: str, path: str, *rest: Any) -> Any:
        token = self._token(to_write=True)
        return self._asker.expect(status, kind, method, path, *rest, token=token)

    def _ask_for_copy(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        kind = "changes" if path.startswith("/changes") else "list"
        whole = f"/api/{self.account.id}{path}"
        reply = self._asker.ask(kind, method, whole, body, headers, token=self._token())
        return Answer(reply.status, reply.json)

    def _token(self, *, to_write: bool = False) -> str:
        return self.door.any_token(to_write=to_write)

    def _any(self) -> Task | None:
        tasks = self.model.tasks
        return tasks[self._random.choice(list(tasks))] if tasks else None

    def _forget(self, task_id: str) -> None:
        self.model.deleted(task_id)
        self._deleted.append((time.monotonic(), task_id))

    def _fields(self) -> Task:
        self._count += 1
        word = self._random.choice(("milk", "Milk", "bread", "Äpfel", "🍊"))
        more: list[Task] = [
            {},
            {"due_date": f"2026-12-{self._random.randint(1, 28):02}"},
            {"due_at": f"2026-12-{self._random.randint(1, 28):02}T18:00:00.000000Z"},
            {"tags": ["home", "Ä"], "priority": self._random.randint(0, 3)},
        ]
        return {
            "title": f"{word} {self._count}",  # no two are the same
            "notes": "x" * self._notes or None,
            **self._random.choice(more),
        }

    def _changes(self, task: Task) -> Task:
        fields = self._fields()
        if self._random.random() < 0.3:
            fields = {"title": fields["title"], "is_completed": not task["is_completed"]}
        return fields
