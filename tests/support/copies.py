"""Writers of one user, and readers who keep a copy by `changes`; and what must hold of both in the end.

Everything goes through an `Ask`, so the same writers and readers work in one process and through faults.
"""

import random
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from flask import Flask

from support.accounts import Account
from support.waiting import until

TASKS_KEPT = 40  # a writer deletes rather than adds when its user has more
PAGES = (1, 2, 3, 7, 1000)
_KINDS = (
    *("create", "create", "named", "keyed", "update", "update", "careful", "complete"),
    *("delete", "batch", "keyed batch"),
)


class Answer(NamedTuple):
    """A whole answer; what was lost on the way, or was a 503, is None instead."""

    status: int
    json: Any


Ask = Callable[..., Answer | None]  # (method, path below the user's, body, headers)


def asking(app: Flask, user: Account) -> Ask:
    """What asks an application in this process, through a test client of its own."""
    client = app.test_client()

    def ask(
        method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer | None:
        sent = {"Authorization": f"Bearer {user.token}", **(headers or {})}
        answer = client.open(f"/api/{user.id}{path}", method=method, json=body, headers=sent)
        if answer.status_code == 503:
            return None
        return Answer(answer.status_code, answer.json)

    return ask


class Taken(NamedTuple):
    """A change that was answered."""

    task_id: str
    revision: int
    updated_at: str


@dataclass
class Log:
    """What writers were answered, and what was wrong with it."""

    taken: list[Taken] = field(default_factory=list)
    conditional: list[tuple[str, int]] = field(default_factory=list)  # accepted if_revisions
    deleted: int = 0
    refused: int = 0  # for a quota
    fine: tuple[int, ...] = (404, 409)
    doubtful: int = 0  # requests without an answer
    ids: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)  # revisions by the task's id
    wrong: list[str] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many changes were."""
        return len(self.taken) + self.deleted


class Writer:
    """Changes tasks in every way there is. What was not answered is sent again, or given up."""

    def __init__(self, ask: Ask, log: Log, number: int) -> None:
        self._ask = ask
        self._log = log
        self._random = random.Random(number)
        self._number = number
        self._count = 0

    def step(self) -> None:
        """One change, or a batch of some."""
        kind = self._random.choice(_KINDS)
        if len(self._log.ids) > TASKS_KEPT and self._random.random() < 0.5:
            kind = "delete"
        if kind == "create":
            self._note(self._ask("POST", "/tasks", self._fields()))
        elif kind == "named":
            body = {"id": str(uuid.UUID(int=self._random.getrandbits(128))), **self._fields()}
            self._note(self._insist("POST", "/tasks", body))
        elif kind == "keyed":
            self._note(self._insist("POST", "/tasks", self._fields(), key=True))
        elif kind in ("batch", "keyed batch"):
            operations = [self._operation() for _ in range(self._random.randint(1, 6))]
            body = {"operations": operations}
            call = self._insist if kind == "keyed batch" else self._ask
            more = {"key": True} if kind == "keyed batch" else {}
            self._note_batch(operations, call("POST", "/tasks/batch", body, **more))
        elif kind == "careful":  # all at the same task, so that conditions are in each other's way
            self._change(kind, next(iter(self._log.ids[-1:]), ""))
        elif task_id := self._any_id():
            self._change(kind, task_id)

    def _change(self, kind: str, task_id: str) -> None:
        path = f"/tasks/{task_id}"
        if kind == "complete":
            self._note(self._ask("PATCH", f"{path}/complete"))
        elif kind == "delete":
            answer = self._ask("DELETE", path)
            self._note(answer)
            if answer and answer.status in (204, 404):
                self._gone(task_id)
        elif kind == "update":
            self._note(self._ask("PUT", path, self._fields()))
        elif task_id in self._log.known:
            condition = {"if_revision": self._log.known[task_id]}
            answer = self._ask("PATCH", path, self._fields() | condition)
            if answer and answer.status == 200:
                self._log.conditional.append((task_id, condition["if_revision"]))
            self._note(answer)

    def _operation(self) -> dict[str, Any]:
        kind = self._random.choice(("create", "create", "update", "complete", "delete"))
        task_id = self._any_id()
        if kind == "create" or not task_id:
            chosen = {"id": str(uuid.UUID(int=self._random.getrandbits(128)))}
            return {
                "op": "create",
                **self._fields(),
                **(chosen if self._random.random() < 0.5 else {}),
            }
        fields = self._fields() if kind == "update" else {}
        return {"op": kind, "id": task_id, **fields}

    def _fields(self) -> dict[str, Any]:
        self._count += 1
        more = self._random.choice(
            (
                {},
                {"notes": "x" * self._random.randint(0, 50)},
                {"due_date": "2026-12-24"},
                {"tags": ["a", "ä"], "priority": self._random.randint(0, 3)},
            )
        )
        return {"title": f"{self._number}-{self._count}", **more}

    def _any_id(self) -> str | None:
        ids = tuple(self._log.ids)  # others take some out meanwhile
        return self._random.choice(ids) if ids else None

    def _insist(self, method: str, path: str, body: Any, *, key: bool = False) -> Answer:
        """Send it until it is answered."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if key else {}
        while True:
            answer = self._ask(method, path, body, headers)
            if answer:
                return answer
            self._log.doubtful += 1

    def _note(self, answer: Answer | None) -> None:
        if answer is None:
            self._log.doubtful += 1
        elif answer.status in (200, 201):
            self._took(answer.json["data"])
        elif answer.status == 204:
            self._log.deleted += 1
        elif answer.status not in self._log.fine:
            self._log.wrong.append(f"{answer}")
        else:
            self._log.refused += answer.json["code"] in ("task-quota-exceeded", "rate-limited")

    def _note_batch(self, operations: list[dict[str, Any]], answer: Answer | None) -> None:
        if answer is None:
            self._log.doubtful += 1
            return
        if answer.status in self._log.fine:
            self._log.refused += 1
            return
        if answer.status != 200 or len(answer.json["data"]) != len(operations):
            self._log.wrong.append(f"{answer}")
            return
        for operation, result in zip(operations, answer.json["data"], strict=True):
            if result["status"] == 204:
                self._log.deleted += 1
                self._gone(operation["id"])
            elif result["status"] in (200, 201):
                self._took(result["task"])
            elif result["status"] not in (404, 409):
                self._log.wrong.append(f"{operation}: {result}")

    def _took(self, task: dict[str, Any]) -> None:
        if task["id"] not in self._log.known:
            self._log.ids.append(task["id"])
        self._log.known[task["id"]] = task["revision"]
        self._log.taken.append(Taken(task["id"], task["revision"], task["updated_at"]))

    def _gone(self, task_id: str) -> None:
        with suppress(ValueError):  # another writer was told the same
            self._log.ids.remove(task_id)


@dataclass
class Reader:
    """Keeps a copy, page by page, and looks at what it is told on the way."""

    ask: Ask
    log: Log
    number: int
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: list[tuple[int, dict[str, int]]] = field(
        default_factory=list
    )  # revision; tasks' revisions
    walks: int = 0  # from the beginning
    _since: int | None = None
    _last: int = 0  # the highest revision that it was shown
    _gone: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.number)

    def step(self) -> bool:
        """One page; whether it was the last one for now."""
        if self._since is None and not self._begin():
            return False
        since = f"since={self._since}&" if self._since else ""
        answer = self.ask("GET", f"/changes?{since}limit={self._random.choice(PAGES)}")
        if answer is None:
            return False
        if answer.status == 410:
            self._since = None
            return False
        if answer.status != 200:
            self.log.wrong.append(f"{answer}")
            return False
        data, meta = answer.json["data"], answer.json["meta"]
        shown = sorted(one["revision"] for one in (*data["tasks"], *data["deleted"]))
        if shown and (shown[0] <= self._last or len(set(shown)) < len(shown)):
            self.log.wrong.append(f"twice: {shown} after {self._last}, since {self._since}")
        self._last = max([self._last, *shown])
        self.tasks |= {task["id"]: task for task in data["tasks"]}
        for gone in data["deleted"]:
            self.tasks.pop(gone["id"], None)
            self._gone[gone["id"]] = gone["revision"]
        self._since = meta["revision"]
        if meta["has_more"]:
            return False
        self._last = max(self._last, meta["revision"])
        self.states.append(
            (meta["revision"], {key: task["revision"] for key, task in self.tasks.items()})
        )
        return True

    def _begin(self) -> bool:
        """Start over: with everything that has changed since 0, or with the list, as clients may."""
        self.tasks, self._gone, self._last, self._since = {}, {}, 0, 0
        self.walks += 1
        if self._random.random() < 0.5:
            answer = self.ask("GET", "/tasks")
            if answer is None or answer.status != 200:
                self._since = None
                return False
            self.tasks = {task["id"]: task for task in answer.json["data"]}
            self._last = self._since = answer.json["meta"]["revision"]
        return True

    def missed(self) -> list[str]:
        """Changes that it had to know of by then, and did not: of ids that were never deleted."""
        latest: dict[str, list[int]] = {}
        for one in self.log.taken:
            latest.setdefault(one.task_id, []).append(one.revision)
        found = []
        for revision, known in self.states:
            for task_id, revisions in latest.items():
                due = max((one for one in revisions if one <= revision), default=0)
                if due > known.get(task_id, due if self._may_be_gone(task_id) else 0):
                    found.append(f"{task_id} of revision {due} was missed at {revision}")
        return found

    def _may_be_gone(self, task_id: str) -> bool:
        return task_id not in self.tasks


def contradictions(
    log: Log,
    readers: list[Reader],
    database: psycopg.Connection[Any],
    user_id: str,
    listed: list[Any],
) -> list[str]:
    """What is not as it has to be, once all have stopped and each reader has read to the end."""
    wrong = list(log.wrong)
    table = {task["id"]: task for task in listed}
    if len({task["title"] for task in listed}) < len(listed):
        wrong.append("something was done twice: no two changes set the same title")
    for reader in readers:
        if reader.tasks != table:
            missing = table.keys() - reader.tasks.keys()
            extra = reader.tasks.keys() - table.keys()
            other = [
                one for one in table.keys() & reader.tasks.keys() if table[one] != reader.tasks[one]
            ]
            wrong.append(f"copy {reader.number}: lacks {missing}, has {extra}, differs in {other}")
        wrong += reader.missed()[:3]
    wrong += _revisions(log)
    query = (
        "SELECT c.tasks, c.numbered, c.text_bytes, c.deletions, c.revision, t.number, t.bytes, d.number,"
        " greatest(t.latest, d.latest), t.revisions + d.number FROM task_counts AS c,"
        " (SELECT count(*) AS number, count(DISTINCT revision) AS revisions,"
        " coalesce(sum(octet_length(title) + coalesce(octet_length(notes), 0)"
        " + octet_length(array_to_string(tags, ''))), 0) AS bytes, coalesce(max(revision), 0) AS latest"
        " FROM tasks WHERE user_id = %(user)s) AS t,"
        " (SELECT count(*) AS number, coalesce(max(revision), 0) AS latest FROM deleted_tasks"
        " WHERE user_id = %(user)s) AS d WHERE c.user_id = %(user)s"
    )
    [row] = database.execute(query, {"user": user_id}).fetchall()
    tasks, numbered, text, deletions, revision, number, held, gone, latest, distinct = row
    if (tasks, numbered, text, deletions) != (number, number, held, gone):
        wrong.append(f"counted {row[:4]}, there are {(number, number, held, gone)}")
    if distinct != number + gone:
        wrong.append("two rows have the same revision")
    if latest > revision:
        wrong.append(f"the counter is at {revision}, a row at {latest}")
    return wrong


def _revisions(log: Log) -> list[str]:
    """Each revision is of one task, each condition was met once, and no time goes back."""
    wrong: list[str] = []
    owners: dict[int, str] = {}
    wrong += [
        f"revision {one.revision} is of two tasks"
        for one in log.taken
        if owners.setdefault(one.revision, one.task_id) != one.task_id
    ]
    if len(set(log.conditional)) < len(log.conditional):
        wrong.append("an if_revision was accepted twice")
    moments: dict[str, list[tuple[int, str]]] = {}
    for one in log.taken:
        moments.setdefault(one.task_id, []).append((one.revision, one.updated_at))
    for task_id, pairs in moments.items():
        times = [moment for _, moment in sorted(pairs)]
        if times != sorted(times):
            wrong.append(f"updated_at of {task_id} goes back: {times}")
    return wrong


class Crowd:
    """Writers and readers in a thread each, from the block's begin to its end."""

    def __init__(self, asks: list[Ask], *, writers: int, seed: int = 0) -> None:
        """One `Ask` for each; the first `writers` of them write."""
        self.log = Log()
        self._done = threading.Event()
        self._writers = [
            Writer(ask, self.log, 1000 * seed + number) for number, ask in enumerate(asks[:writers])
        ]
        self.readers = [
            Reader(ask, self.log, 1000 * seed + number)
            for number, ask in enumerate(asks[writers:], writers)
        ]
        self._failures: list[BaseException] = []

    def __enter__(self) -> "Crowd":
        self._threads = [
            threading.Thread(target=self._run, args=[one.step])
            for one in (*self._writers, *self.readers)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let each end what it is at. Raises what one of them has raised."""
        self._done.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _run(self, step: Callable[[], object]) -> None:
        while not self._done.is_set():
            try:
                step()
            except BaseException as error:
                self._failures.append(error)
                raise

    def wait_for(self, answered: int) -> None:
        """Wait until so many changes were answered, or one of them has failed."""
        until(lambda: self.log.answered >= answered or not self.is_alive())

    def is_alive(self) -> bool:
        """Whether none of them has failed."""
        return not self._failures

    def read_to_the_end(self) -> None:
        """Let each reader catch up, and one begin anew beside them."""
        fresh = Reader(self.readers[0].ask, self.log, 999)
        self.readers.append(fresh)
        for reader in self.readers:
            while not reader.step():
                pass
