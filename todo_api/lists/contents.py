"""The tasks of an answer as JSON, made while their rows arrive: so a list is never held as rows too."""

from typing import Any, Protocol

import msgspec

from todo_api.tasks.fields import TITLE_MAX
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task
from todo_api.web.unsent import Content, Unsent

# No other thread can run while tasks are encoded: 250 with the longest titles take 7 ms. So tasks whose
# titles and notes are longer than LONG_TEXTS on average are encoded FEW at a time, or fewer still.
FEW = 32
LONG_TEXTS = 150  # characters
_encode = msgspec.json.Encoder().encode


class Items(Protocol):
    """What items are added to: a content, or a list in one."""

    count: int

    def add(self, piece: bytes, count: int) -> None:
        """Add the JSON of `count` more items. Raises Problem when there is no room for it."""


class ListTaker:
    """Takes the rows of tasks/list."""

    def __init__(self, unsent: Unsent, user_id: str, *, is_whole_list: bool = True) -> None:
        self.content = Content(unsent, user_id, is_whole_list=is_whole_list)
        self.has_unnumbered = False  # whether a task has no revision yet

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Encode some rows. Raises Problem when there is no room for more."""
        self.add([as_task(*row) for row in rows])

    def add(self, tasks: list[Task]) -> None:
        """Encode some tasks. Raises Problem when there is no room for more."""
        if 0 in [task.revision for task in tasks]:
            self.has_unnumbered = True
        add_tasks(self.content, tasks)


class PageTaker(ListTaker):
    """Takes the rows of tasks/page: those of the page, and one more when there is a next page."""

    def __init__(self, unsent: Unsent, user_id: str, limit: int) -> None:
        super().__init__(unsent, user_id, is_whole_list=False)
        self.last: Task | None = None
        self.has_next = False
        self._limit = limit

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Encode some rows. Raises Problem when there is no room for more."""
        here = [as_task(*row) for row in rows[: self._limit - self.content.count]]
        self.has_next = len(here) < len(rows)
        if here:
            self.last = here[-1]
            self.add(here)


def add_tasks(content: Items, tasks: list[Task]) -> None:
    """Add tasks to a content. Raises Problem when there is no room for them."""
    texts = sum(len(task.title) + len(task.notes or "") for task in tasks)
    step = len(tasks)
    if texts > LONG_TEXTS * step:
        step = max(1, min(FEW, FEW * TITLE_MAX * step // texts))
    for start in range(0, len(tasks), step):
        some = tasks[start : start + step] if step < len(tasks) else tasks
        items = _encode(some)[1:-1]
        content.add(b"," + items if content.count else items, len(some))
