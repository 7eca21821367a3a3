"""The orders of the list: the statement of each, and its positions as bytes of a cursor."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from todo_api.tasks.fields import TITLE_MAX
from todo_api.tasks.schemas import Task
from todo_api.web.moments import MOMENT_BYTES, moment_bytes, moment_of
from todo_api.web.text import CONTROL_CHARACTER

_ID_BYTES = 16
_ANY_ID = str(UUID(int=0))  # at the start, the key decides
_NOT_DUE = "infinity"
_NOT_DUE_BYTES = b"\x7f" + b"\xff" * (MOMENT_BYTES - 1)  # later than any moment
FEWEST_BYTES = 1 + _ID_BYTES
MOST_BYTES = 4 * TITLE_MAX + _ID_BYTES


class Order(NamedTuple):
    """By a key, and then by id. A position is right after a task, even if that is deleted."""

    statement: str
    name: str  # of the statement's parameter for the key
    start: Any  # what comes before the key of any task
    key: Callable[[Task], bytes]
    read: Callable[
        [bytes], Any
    ]  # a key as the statement takes it. Raises ValueError for what is none

    def from_start(self) -> dict[str, Any]:
        """The parameters of the first page, or of the whole list."""
        return {self.name: self.start, "last_id": _ANY_ID}

    def position(self, last: Task) -> bytes:
        """The position after a task."""
        return self.key(last) + UUID(last.id).bytes

    def after(self, position: bytes) -> dict[str, Any]:
        """The parameters of the page after a position. Raises ValueError for what is none."""
        key, task_id = position[:-_ID_BYTES], position[-_ID_BYTES:]
        return {self.name: self.read(key), "last_id": str(UUID(bytes=task_id))}


def _due(task: Task) -> bytes:
    if task.due_at or task.due_date:
        return moment_bytes(task.due_at or f"{task.due_date}T00:00:00Z")
    return _NOT_DUE_BYTES


def _read_due(key: bytes) -> str:
    return _NOT_DUE if key == _NOT_DUE_BYTES else moment_of(key)


def _read_priority(key: bytes) -> int:
    [priority] = key
    if priority > 3:
        raise ValueError("not a priority")
    return priority


def _read_title(key: bytes) -> str:
    # The title itself: PostgreSQL puts it in small letters, and Python need not know how.
    title = key.decode()
    if len(title) > TITLE_MAX or CONTROL_CHARACTER.search(title):
        raise ValueError("not a title")
    return title


def _created(task: Task) -> bytes:
    return moment_bytes(task.created_at)


def _updated(task: Task) -> bytes:
    return moment_bytes(task.updated_at)


def _priority(task: Task) -> bytes:
    return bytes([task.priority])


def _title(task: Task) -> bytes:
    return task.title.encode()


NEWEST_FIRST = Order("tasks/newest_matching", "last_created_at", "infinity", _created, moment_of)
ORDERS = {
    "-created_at": NEWEST_FIRST,
    "created_at": Order("tasks/oldest_first", "last_created_at", "-infinity", _created, moment_of),
    "-updated_at": Order(
        "tasks/last_changed_first", "last_updated_at", "infinity", _updated, moment_of
    ),
    "due": Order("tasks/soonest_due_first", "last_due", "-infinity", _due, _read_due),
    "-priority": Order(
        "tasks/highest_priority_first", "last_priority", 4, _priority, _read_priority
    ),
    "title": Order("tasks/by_title", "last_title", "", _title, _read_title),
}
