"""What a user reads: tasks, lists of all kinds, and the export."""

from urllib.parse import urlencode

from .hand import Hand
from .model import FILTERS, ORDERS, Task, need


class Reads:
    """Compares what it reads with the model. Each method raises Wrong."""

    def __init__(self, hand: Hand) -> None:
        self._hand, self._model, self._path = hand, hand.model, hand.path

    def get(self) -> None:
        """One task."""
        if task := self._hand.any_task():
            answer = self._hand.read("get", f"{self._path}/{task['id']}", task["revision"])
            need(answer is None or answer["data"] == task, f"not {task}: {answer}")

    def whole(self) -> None:
        """The list."""
        answer = self._hand.read("list", self._path, self._model.revision)
        if answer:
            need(answer["data"] == self._model.listed(), "the list is another")
            count = len(self._model.tasks)
            need(answer["meta"]["count"] == count, f"count: {answer['meta']} of {count}")
            need(answer["meta"]["revision"] == self._model.revision, f"{answer['meta']}")

    def filtered(self) -> None:
        """A list with filters, in any order."""
        chosen = dict(self._hand.random.sample(FILTERS, self._hand.random.randint(1, 2)))
        order = self._hand.random.choice(ORDERS)
        path = f"{self._path}?{urlencode(chosen | {'sort': order})}"
        answer = self._hand.read("filtered list", path, self._model.revision)
        expected = self._model.listed(chosen.items(), order)
        need(answer is None or answer["data"] == expected, f"{path}: {answer}")

    def pages(self) -> None:
        """All of a list, page by page."""
        chosen = dict(self._hand.random.sample(FILTERS, self._hand.random.randint(0, 1)))
        order = self._hand.random.choice(ORDERS)
        limit = max(3, len(self._model.tasks) // self._hand.random.randint(2, 5))
        query = {**chosen, "sort": order, "limit": str(limit)}
        found: list[Task] = []
        while True:
            path, token = f"{self._path}?{urlencode(query)}", self._hand.token()
            page = self._hand.asker.expect(200, "page", "GET", path, token=token)
            found += page["data"]
            if not page["meta"]["next_cursor"]:
                break
            need(len(page["data"]) == limit, f"{path}: {len(page['data'])} of {limit}")
            query["cursor"] = page["meta"]["next_cursor"]
        need(found == self._model.listed(chosen.items(), order), f"the pages of {query}: {found}")

    def export(self) -> None:
        """All of the account."""
        token, path = self._hand.door.token, f"{self._hand.door.path}/export"
        data = self._hand.asker.expect(200, "export", "GET", path, token=token)["data"]
        need(data["tasks"] == self._model.listed(), "the tasks of the export")
        need(len(data["sessions"]) == 1 + len(self._hand.door.others), f"{data['sessions']}")
        names = [one.name for one in self._hand.door.api_tokens]
        need([one["name"] for one in data["api_tokens"]] == names, f"{data['api_tokens']}")
        account = self._hand.asker.expect(200, "account", "GET", self._hand.door.path, token=token)[
            "data"
        ]
        need(data["account"] == account, f"{data['account']} {account}")
        held = (account["tasks"], account["text_bytes"])
        expected = (len(self._model.tasks), self._model.text_bytes)
        need(held == expected, f"the account holds {held} instead of {expected}")
