"""What a user's tasks have to be: the client's own reckoning, which every answer is compared with."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from support.copies import Log, Taken

Task = dict[str, Any]
_EMPTY: Task = {
    "notes": None,
    "due_date": None,
    "due_at": None,
    "priority": 0,
    "tags": [],
    "is_completed": False,
    "completed_at": None,
}
_BY_SERVER = {"completed_at", "created_at", "updated_at", "id"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FORGOTTEN = 100  # deleted ids that are kept in mind, newest last


class Wrong(AssertionError):
    """An answer is not what it has to be."""


def need(fine: object, about: str) -> None:
    """Raise Wrong unless it is fine."""
    if not fine:
        raise Wrong(about)


class Model:
    """The tasks of a user whose requests go out one after the other, so that each answer is known before."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.tasks: dict[str, Task] = {}
        self.revision = 0
        self.gone: list[str] = []  # ids that were deleted lately
        self.log = Log()

    def created(self, sent: Task, task: Task) -> None:
        """Compare a new task with what was sent, and keep it."""
        fields = {name: value for name, value in sent.items() if name != "op"}
        expected = {"user_id": self.user_id, **_EMPTY, **fields, "revision": self.revision + 1}
        if "id" not in sent:
            need(task["id"] not in self.tasks, f"an id came twice: {task}")
        need(task["created_at"] == task["updated_at"], f"a new task was changed: {task}")
        need(task["completed_at"] is None, f"a new task is completed: {task}")
        self._same(expected, task, _BY_SERVER - set(sent))
        self._keep(task)

    def changed(self, sent: Task, task: Task) -> None:
        """Compare a task with what it was, and what was to change; keep it."""
        before = self.tasks[task["id"]]
        fields = {
            name: value for name, value in sent.items() if name not in ("op", "id", "if_revision")
        }
        if fields.get("due_date"):
            fields["due_at"] = None
        if fields.get("due_at"):
            fields["due_date"] = None
        if all(before[name] == value for name, value in fields.items()):
            need(task == before, f"nothing was to change: {before} {fields} {task}")
            return
        expected = before | fields | {"revision": self.revision + 1}
        self._same(expected, task, {"updated_at", "completed_at"})
        need(task["updated_at"] >= before["updated_at"], f"time goes back: {before} {task}")
        if task["is_completed"] == before["is_completed"]:
            need(task["completed_at"] == before["completed_at"], f"completed again: {task}")
        if "if_revision" in sent:
            self.log.conditional.append((task["id"], sent["if_revision"]))
        self._keep(task)

    def deleted(self, task_id: str) -> None:
        """Keep in mind that a task is gone."""
        del self.tasks[task_id]
        self.revision += 1
        self.log.deleted += 1
        self.gone = [*self.gone[-FORGOTTEN:], task_id]

    def done(self, operation: Task, result: Task) -> None:
        """Compare a result of a batch with what the operation has to come to, and keep it."""
        kind, task = operation["op"], self.tasks.get(operation.get("id", ""))
        stale = task and operation.get("if_revision", task["revision"]) != task["revision"]
        if kind == "create" and task:
            need(result == {"status": 200, "task": task}, f"{operation}: {result}")
        elif kind == "create" and operation.get("id") in self.gone:
            need(result == {"status": 409, "code": "task-deleted"}, f"{operation}: {result}")
        elif kind == "create":
            need(result.keys() == {"status", "task"}, f"{operation}: {result}")
            need(result["status"] == 201, f"{operation}: {result}")
            self.created(operation, result["task"])
        elif not task:
            need(result == {"status": 404, "code": "not-found"}, f"{operation}: {result}")
        elif stale:
            need(result == {"status": 409, "code": "revision-conflict"}, f"{operation}: {result}")
        elif kind == "delete":
            need(result == {"status": 204}, f"{operation}: {result}")
            self.deleted(operation["id"])
        else:
            need(result.keys() == {"status", "task"}, f"{operation}: {result}")
            need(result["status"] == 200, f"{operation}: {result}")
            self.changed(operation | _completed(kind), result["task"])

    def listed(
        self, chosen: Iterable[tuple[str, str]] = (), order: str = "-created_at"
    ) -> list[Task]:
        """The list with these filters, in this order."""
        found = [
            task
            for task in self.tasks.values()
            if all(_FILTERS[name](task, value) for name, value in chosen)
        ]
        key = _KEYS[order.removeprefix("-")]
        return sorted(
            found, key=lambda task: (key(task), task["id"]), reverse=order.startswith("-")
        )

    @property
    def text_bytes(self) -> int:
        """How much text there is."""
        return sum(
            len("".join([task["title"], task["notes"] or "", *task["tags"]]).encode())
            for task in self.tasks.values()
        )

    def _same(self, expected: Task, task: Task, aside: set[str]) -> None:
        need(task.keys() == _EMPTY.keys() | _NAMES, f"the members of {task}")
        for name, value in expected.items():
            need(name in aside or task[name] == value, f"{name} is not {value!r}: {task}")
        for name in ("created_at", "updated_at"):
            need(_MOMENT.fullmatch(task[name]), f"{name} of {task}")
        need((task["completed_at"] is not None) == task["is_completed"], f"completion of {task}")

    def _keep(self, task: Task) -> None:
        self.tasks[task["id"]] = task
        self.revision = task["revision"]
        self.log.taken.append(Taken(task["id"], task["revision"], task["updated_at"]))


_NAMES = {"id", "user_id", "title", "created_at", "updated_at", "revision"}


def _completed(kind: str) -> Task:
    return {"is_completed": True} if kind == "complete" else {}


def _due(task: Task) -> datetime:
    if task["due_at"] or task["due_date"]:
        return datetime.fromisoformat(task["due_at"] or f"{task['due_date']}T00:00:00Z")
    return datetime.max.replace(tzinfo=UTC)


def _day(task: Task) -> str:
    return str(task["due_date"] or (task["due_at"] or "")[:10])


_FILTERS: dict[str, Callable[[Task, str], bool]] = {
    "is_completed": lambda task, value: task["is_completed"] == (value == "true"),
    "q": lambda task, value: value.lower() in f"{task['title']}\n{task['notes'] or ''}".lower(),
    "tag": lambda task, value: value.lower() in [tag.lower() for tag in task["tags"]],
    "min_priority": lambda task, value: task["priority"] >= int(value),
    "due_from": lambda task, value: bool(_day(task)) and _day(task) >= value,
    "due_to": lambda task, value: bool(_day(task)) and _day(task) <= value,
}
_KEYS: dict[str, Callable[[Task], Any]] = {
    "created_at": lambda task: task["created_at"],
    "updated_at": lambda task: task["updated_at"],
    "due": _due,
    "priority": lambda task: task["priority"],
    "title": lambda task: task["title"].lower(),
}
FILTERS = (
    *(("is_completed", "true"), ("is_completed", "false"), ("q", "milk"), ("q", "MILK 1")),
    *(("tag", "Home"), ("tag", "ä"), ("min_priority", "1"), ("min_priority", "3")),
    *(("due_from", "2026-12-10"), ("due_to", "2026-12-20")),
)
ORDERS = ("-created_at", "created_at", "-updated_at", "due", "-priority", "title")
