"""The tasks of an answer as JSON, made while their rows arrive: so a list is never held as rows too."""

import hashlib
from typing import Any, Protocol

import msgspec

from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task
from todo_api.web.unsent import Content, Unsent

# No other thread can run while tasks are encoded: 250 with the longest titles take 7 ms. So tasks with titles
# that are longer than LONG_TITLES on average are encoded FEW at a time.
FEW = 32
LONG_TITLES = 150  # characters
_encode = msgspec.json.Encoder().encode


class Items(Protocol):
    """What items are added to: a content, or a list in one."""

    count: int

    def add(self, piece: bytes, count: int) -> None:
        """Add the JSON of `count` more items. Raises Problem when there is no room for it."""


class ListTaker:
    """Takes the rows of tasks/list."""

    def __init__(self, unsent: Unsent, user_id: str) -> None:
        self.content = Content(unsent, user_id, is_whole_list=True)
        self._times = hashlib.sha256()

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Encode some rows. Raises Problem when there is no room for more."""
        if self.content.count:
            self._times.update(b",")
        self._times.update(",".join([row[-1] for row in rows]).encode())
        add_tasks(self.content, [as_task(*row) for row in rows])

    def state(self) -> str:
        """The list's state, from each updated_at; tasks/list_state returns the same.

        With PostgreSQL's part, it takes 1.5 ms of CPU to find that a list of 1 000 tasks is unchanged, and
        4.1 ms to send its 300 KB.
        """
        return self._times.hexdigest()


class PageTaker:
    """Takes the rows of tasks/page: those of the page, and one more when there is a next page."""

    def __init__(self, unsent: Unsent, user_id: str, limit: int) -> None:
        self.content = Content(unsent, user_id)
        self.marks: list[str] = []  # for the tag
        self.last: Task | None = None
        self.has_next = False
        self._limit = limit

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Encode some rows. Raises Problem when there is no room for more."""
        here = [as_task(*row) for row in rows[: self._limit - self.content.count]]
        self.has_next = len(here) < len(rows)
        if here:
            self.last = here[-1]
            # With ids: tasks that were imported together have the same updated_at, and after a deletion one
            # of them may take the position of another.
            self.marks += [part for task in here for part in (task.id, task.updated_at)]
            add_tasks(self.content, here)


def add_tasks(content: Items, tasks: list[Task]) -> None:
    """Add tasks to a content. Raises Problem when there is no room for them."""
    step = FEW if sum(len(task.title) for task in tasks) > LONG_TITLES * len(tasks) else len(tasks)
    for start in range(0, len(tasks), step):
        some = tasks[start : start + step] if step < len(tasks) else tasks
        items = _encode(some)[1:-1]
        content.add(b"," + items if content.count else items, len(some))
