"""What a user has at hand: the account, the tokens, the model, and chance."""

import random
from typing import Any

from support.live_service import LiveUser

from .asking import Asker
from .door import Door
from .model import Model, Task, need

MOST_TAGS = 30


class Hand:
    """Reads and writes as one user, with any of the tokens."""

    def __init__(
        self, asker: Asker, account: LiveUser, number: int, tasks: int, notes: int
    ) -> None:
        """`tasks`: how many there are about; `notes`: how long notes are."""
        self.asker, self.account = asker, account
        self.random = random.Random(number)
        self.usual, self._notes = tasks, notes
        self.model = Model(account.id)
        self.door = Door(asker, account, self.random)
        self._tags: dict[str, tuple[str, int]] = {}  # path: its ETag, and the revision then
        self._count = 0

    @property
    def path(self) -> str:
        """Where the tasks are."""
        return self.account.tasks

    def read(self, kind: str, path: str, mark: int) -> Any:
        """The answer; None when it is 304, which it is if and only if nothing has changed."""
        tag, then = self._tags.get(path, ("", -1))
        headers = {"If-None-Match": tag} if tag and self.random.random() < 0.7 else {}
        reply = self.asker.ask(kind, "GET", path, None, headers, token=self.token())
        if headers and then == mark:
            need((reply.status, reply.body) == (304, b""), f"{path}, unchanged: {reply}")
            return None
        need(reply.status == 200, f"{path}: {reply}")
        if len(self._tags) >= MOST_TAGS:
            self._tags.clear()
        self._tags[path] = (reply.headers["ETag"], mark)
        return reply.json

    def write(self, status: int, kind: str, method: str, path: str, *rest: Any) -> Any:
        """What is answered, which has to have this status."""
        token = self.token(to_write=True)
        return self.asker.expect(status, kind, method, path, *rest, token=token)

    def token(self, *, to_write: bool = False) -> str:
        """One that is good for this."""
        return self.door.any_token(to_write=to_write)

    def any_task(self) -> Task | None:
        """One of the tasks, if there are any."""
        tasks = self.model.tasks
        return tasks[self.random.choice(list(tasks))] if tasks else None

    def fields(self) -> Task:
        """A new task."""
        self._count += 1
        word = self.random.choice(("milk", "Milk", "bread", "Äpfel", "🍊"))
        more: list[Task] = [
            {},
            {"due_date": f"2026-12-{self.random.randint(1, 28):02}"},
            {"due_at": f"2026-12-{self.random.randint(1, 28):02}T18:00:00.000000Z"},
            {"tags": ["home", "Ä"], "priority": self.random.randint(0, 3)},
        ]
        return {
            "title": f"{word} {self._count}",  # no two are the same
            "notes": "x" * self._notes or None,
            **self.random.choice(more),
        }

    def changes(self, task: Task) -> Task:
        """What to change of a task."""
        fields = self.fields()
        if self.random.random() < 0.3:
            fields = {"title": fields["title"], "is_completed": not task["is_completed"]}
        return fields
