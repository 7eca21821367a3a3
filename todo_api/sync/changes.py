"""Takes the rows of tasks/changes: tasks become JSON while they arrive, deletions wait for the end."""

from typing import Any

import msgspec

from todo_api.lists.contents import add_tasks
from todo_api.sync import marks
from todo_api.sync.marks import Since
from todo_api.sync.schemas import DeletedTask
from todo_api.tasks.rows import as_task
from todo_api.web.unsent import Content, Unsent

_encode = msgspec.json.Encoder().encode


class ChangesTaker:
    """The changes of a page, as one content; and how to go on after it."""

    def __init__(self, unsent: Unsent, user_id: str, since: Since, limit: int) -> None:
        self.content = Content(unsent, user_id)
        self.content.add(b'"tasks":[', 0)
        self.latest = self.forgotten = 0
        self.is_in_step = self.is_expired = False
        self.has_more = False
        self._since = since
        self._limit = limit
        self._taken = 0
        self._last = 0  # revision
        self._deleted: list[DeletedTask] = []

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Encode some rows. Raises Problem when there is no room for more."""
        changes = rows
        if rows[0][0] is not None:  # the state, as of the moment of all rows
            (self.latest, self.forgotten, self.is_in_step, *_), *changes = rows
            self.is_expired = self._since.is_expired(self.latest, self.forgotten)
            if changes and not changes[0][-1]:  # tasks without a revision come first
                self.is_in_step = False
        if self.is_expired:
            return
        here = changes[: self._limit - self._taken]
        self.has_more = len(here) < len(changes)
        self._taken += len(here)
        self._deleted += [DeletedTask(row[4], row[-1]) for row in here if row[3]]
        if tasks := [as_task(*row[4:]) for row in here if not row[3]]:
            add_tasks(self.content, tasks)
        if here:
            self._last = here[-1][-1]

    def end(self) -> None:
        """Add what was deleted, once all rows are there."""
        self.content.add(b'],"deleted":' + _encode(self._deleted), 0)

    @property
    def next_since(self) -> int:
        """With what the client goes on."""
        return marks.after(self._last, self.forgotten) if self.has_more else self.latest
