"""A user at work, who does one thing after the other, and has two copies."""

from typing import Any

from support.copies import Answer, Reader

from .changing import Changes
from .hand import Hand
from .model import Task, need
from .reading import Reads

MOST_PAGES = 5000  # of a copy that is brought up to date


class User:
    """In a step a request or some, each answer compared with the model."""

    def __init__(self, hand: Hand, number: int) -> None:
        self._hand, self.model, self.account = hand, hand.model, hand.account
        self.neighbour = hand.account.id
        log = hand.model.log
        self.copies = [Reader(self._ask_for_copy, log, 2 * number + one) for one in (0, 1)]
        changes, reads, door = Changes(hand), Reads(hand), hand.door
        self.settle = changes.settle
        self._create, self._delete = changes.create, changes.delete
        self._steps = {
            changes.create: 10, changes.update: 14, changes.careful: 6, changes.complete: 5,
            changes.delete: 10, changes.batch: 8, changes.repeat: 4, changes.nothing: 3,
            reads.get: 14, reads.whole: 6, reads.filtered: 8, reads.pages: 4, reads.export: 1,
            self._follow: 12, self._follow_late: 1, self._overstep: 1,
            door.sign_in_or_out: 1, door.renew: 1, door.make_or_end: 2,
        }  # fmt: skip

    def step(self) -> None:
        """One thing of all that can be done. Raises Wrong."""
        names = list(self._steps)
        chosen = self._hand.random.choices(names, [self._steps[one] for one in names])[0]
        if chosen in (self._create, self._delete):  # as many as there were, in the long run
            has_few = len(self.model.tasks) < self._hand.usual
            chosen = self._create if has_few else self._delete
        chosen()

    def finish(self) -> list[Task]:
        """The list, once both copies are up to date: all as the model has it."""
        self._follow()
        self._follow_late()
        path, token = self._hand.path, self._hand.door.token
        listed = self._hand.asker.expect(200, "list", "GET", path, token=token)["data"]
        need(listed == self.model.listed(), f"the list of {self.account.id}")
        return list(listed)

    def _follow(self) -> None:
        self._up_to_date(self.copies[0])
        path = f"/api/{self.account.id}/changes?since={self.model.revision}"
        answer = self._hand.read("changes", path, self.model.revision)
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
        self._hand.door.overstep(self.neighbour)

    def _ask_for_copy(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        kind = "changes" if path.startswith("/changes") else "list"
        whole = f"/api/{self.account.id}{path}"
        reply = self._hand.asker.ask(kind, method, whole, body, headers, token=self._hand.token())
        return Answer(reply.status, reply.json)
