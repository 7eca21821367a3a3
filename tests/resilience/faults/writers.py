"""Users who write through every fault, and what the tables have to hold of it in the end."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import psycopg

from support.live_service import LiveClient, LiveService, LiveUser, Reply

_OPERATIONS = {
    "create": 30,
    "update": 20,
    "complete": 12,
    "delete": 14,
    "read": 8,
    "batch": 8,
    "follow": 8,
}
_PAGE = 20  # of the changes that a copy follows
_PAUSE_S = 0.02  # before a connection is tried again that could not be had, or after a 503


class Row(NamedTuple):
    """A task as its row has it."""

    title: str
    is_completed: bool


class Writer:
    """One user on one keep-alive connection; a new one after each fault."""

    def __init__(self, service: LiveService, user: LiveUser, number: int) -> None:
        self.user = user
        self.acknowledged = 0  # writes whose 2xx was received whole
        self.statuses: Counter[int] = Counter()  # of all answers
        self.unknown = 0  # writes whose connection was lost before the answer
        self.dropped = 0  # requests whose connection was lost after it had answered others
        self.unreachable = 0  # connections that could not be had
        self.slowest_s: dict[int, float] = {}  # of the answers of each status
        self.last_s = 0.0  # when the last acknowledged write was asked for
        self.wrong: list[str] = []  # reads that were not true, a 503 without Retry-After
        # By a name that is the first word of each of its titles: the rows that it may have by now,
        # None for no row. More than one where no 2xx or 4xx told what came of a write.
        self.expected: dict[str, set[Row | None]] = {}
        self._paths: dict[str, str] = {}  # of the tasks whose one row is known
        self.together: list[
            dict[str, Row]
        ] = []  # creates of batches that nobody knows what came of
        self.followed = 0  # changes that the copy took
        self._copy: dict[str, Row] = {}  # by the task's id, kept by `changes`
        self._since = 0
        self._random = random.Random(number)  # the same writes each time
        self._number = number
        self._client = service.client()
        self._connected = False
        self._kept = False  # whether this connection has answered before

    def write_until(self, done: threading.Event) -> None:
        """Write without a pause while there are answers."""
        while not done.is_set():
            if not self._step():
                done.wait(_PAUSE_S)
        self._client.close()

    def _step(self) -> bool:
        """One request; whether it was answered, with other than 503."""
        if not self._connected:
            try:
                self._client.connect()
            except OSError:
                self.unreachable += 1
                return False
            self._connected, self._kept = True, False
        [what] = self._random.choices(*zip(*_OPERATIONS.items(), strict=True))
        if what == "follow":
            return self._follow()
        if what == "batch":
            return self._batch()
        if what == "create" or not self._paths:
            return self._create()
        name = self._random.choice(list(self._paths))
        path = self._paths[name]
        [row] = self.expected[name]
        assert row is not None
        if what == "read":
            return self._read(name, path, row)
        if what == "update":
            row = Row(f"{name} {self._random.getrandbits(32):x}", self._random.random() < 0.5)
            body = {"title": row.title, "is_completed": row.is_completed}
            return self._write(name, row, lambda one: one("PUT", path, body))
        if what == "complete":
            row = Row(row.title, True)
            return self._write(name, row, lambda one: one("PATCH", f"{path}/complete"))
        return self._write(name, None, lambda one: one("DELETE", path))

    def _create(self) -> bool:
        name = f"{self._number}-{len(self.expected)}"
        self.expected[name] = {None}
        return self._write(
            name, Row(name, False), lambda one: one("POST", self.user.tasks, {"title": name})
        )

    def _batch(self) -> bool:
        """Two creates in one transaction: both of them, or neither."""
        names = [f"{self._number}-{len(self.expected) + more}" for more in range(2)]
        rows = {name: Row(name, False) for name in names}
        for name, row in rows.items():
            self.expected[name] = {None, row}
        asked = time.monotonic()
        operations = [{"op": "create", "title": name} for name in names]
        reply = self._ask("POST", f"{self.user.tasks}/batch", {"operations": operations})
        if reply is None or reply.status >= 500:
            self.together.append(rows)
            return False
        for (name, row), result in zip(rows.items(), reply.json["data"], strict=True):
            if result["status"] != 201:
                self.wrong.append(f"batch: {name} is {result}")
                continue
            self.expected[name] = {row}
            self._paths[name] = f"{self.user.tasks}/{result['task']['id']}"
            self.acknowledged += 1
        self.last_s = asked
        return True

    def _follow(self) -> bool:
        """Bring the copy up to date, and compare it with what is known."""
        while True:
            query = f"?since={self._since}&limit={_PAGE}"
            reply = self._ask("GET", f"/api/{self.user.id}/changes{query}")
            if reply is None or reply.status >= 500:
                return False
            if reply.status == 410:  # the database has lost what it had acknowledged
                self._copy, self._since = {}, 0
                return True
            data, meta = reply.json["data"], reply.json["meta"]
            for task in data["tasks"]:
                self._copy[task["id"]] = Row(task["title"], task["is_completed"])
            for deleted in data["deleted"]:
                self._copy.pop(deleted["id"], None)
            self.followed += len(data["tasks"]) + len(data["deleted"])
            self._since = meta["revision"]
            if not meta["has_more"]:
                break
            if not self._connected:  # the rest comes by another connection
                return True
        for name, path in self._paths.items():
            if {self._copy.get(path.rpartition("/")[2])} != self.expected[name]:
                self.wrong.append(f"copy: {name} is not {self.expected[name]}")
        gone = {name for name, rows in self.expected.items() if rows == {None}}
        if found := gone & {row.title.split()[0] for row in self._copy.values()}:
            self.wrong.append(f"copy: {found} are deleted")
        return True

    def _write(self, name: str, row: Row | None, call: Callable[..., Reply | None]) -> bool:
        """Ask for a write after which task `name` has this row, and keep what is known then."""
        asked = time.monotonic()
        # In doubt from now on, and left alone while it is: what was lost on the way may be executed
        # later than what is asked for next.
        path = self._paths.pop(name, None)
        before = set(self.expected[name])
        self.expected[name].add(row)
        reply = call(self._ask)
        if reply is None or reply.status >= 500:
            return False
        self.expected[name] = {row} if reply.status < 300 else before
        if reply.status < 300:
            self.acknowledged += 1
            self.last_s = asked
            path = reply.headers["Location"] or path
        if path and self.expected[name] != {None}:
            self._paths[name] = path
        return True

    def _read(self, name: str, path: str, row: Row) -> bool:
        reply = self._ask("GET", path)
        if reply is None or reply.status >= 500:
            return False
        found = reply.json.get("data", {})
        if (found.get("title"), found.get("is_completed")) != row:
            self.wrong.append(f"read: {row} is {reply.status} {found}")
            del self._paths[name]
        return True

    def _ask(self, method: str, path: str, body: object = None) -> Reply | None:
        """The answer; None when there was none."""
        began = time.monotonic()
        try:
            reply = self._client.ask(method, path, body, token=self.user.token)
        except (OSError, http.client.HTTPException):
            self._client.close()
            self._connected = False
            self.unknown += method != "GET"
            self.dropped += self._kept
            return None
        took = time.monotonic() - began
        self._kept = True
        self._connected = reply.headers["Connection"] != "close"  # which http.client has heeded
        self.statuses[reply.status] += 1
        self.slowest_s[reply.status] = max(took, self.slowest_s.get(reply.status, 0.0))
        if reply.status == 503 and not reply.headers["Retry-After"]:
            self.wrong.append(f"{method} {path}: 503 without Retry-After")
        return reply


@dataclass
class Writers:
    """Writers in a thread each, from the block's begin to its end."""

    service: LiveService
    count: int = 20
    each: list[Writer] = field(default_factory=list)

    def __enter__(self) -> "Writers":
        with self.service.client() as client:
            self.each = [
                Writer(self.service, self._user(client, with_token=number % 2 == 1), number)
                for number in range(self.count)
            ]
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=writer.write_until, args=[self._done]) for writer in self.each
        ]
        for thread in self._threads:
            thread.start()
        return self

    def _user(self, client: LiveClient, *, with_token: bool) -> LiveUser:
        """A new user, who writes with an API token or with that of the sign-in."""
        user = self.service.sign_up(client)
        if not with_token:
            return user
        asked = {"name": "a writer", "scope": "write"}
        reply = client.ask("POST", f"/api/{user.id}/tokens", asked, token=user.token)
        assert reply.status == 201, reply.body
        token = reply.json["data"]["token"]
        self.service.scan.secrets.add(token)
        return replace(user, token=token)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    @property
    def acknowledged(self) -> int:
        return sum(writer.acknowledged for writer in self.each)

    @property
    def unknown(self) -> int:
        return sum(writer.unknown for writer in self.each)

    @property
    def dropped(self) -> int:
        return sum(writer.dropped for writer in self.each)

    @property
    def statuses(self) -> Counter[int]:
        return sum((Counter(writer.statuses) for writer in self.each), Counter())

    def slowest_s(self, status: int) -> float:
        return max(writer.slowest_s.get(status, 0.0) for writer in self.each)

    def forget_times(self) -> None:
        for writer in self.each:
            writer.slowest_s = {}

    def all_wrote_since(self, moment: float) -> bool:
        """Whether each has had a write acknowledged that was asked for after this time.monotonic()."""
        return all(writer.last_s > moment for writer in self.each)

    def contradictions(self) -> list[str]:
        """What was answered untruly, or is not in the tables as was answered; after the block's end."""
        found = [wrong for writer in self.each for wrong in writer.wrong]
        with psycopg.connect(self.service.database_url, autocommit=True) as connection:
            for writer in self.each:
                rows: dict[str, list[Row]] = {}
                query = "SELECT title, completed_at IS NOT NULL FROM tasks WHERE user_id = %s"
                for title, is_completed in connection.execute(query, [writer.user.id]):
                    rows.setdefault(title.split()[0], []).append(Row(title, is_completed))
                for name in writer.expected.keys() | rows.keys():
                    wanted, seen = writer.expected.get(name, {None}), rows.get(name, [])
                    if len(seen) > 1:
                        found.append(f"twice: {seen}")
                    elif (seen[0] if seen else None) not in wanted:
                        found.append(f"lost: {name} is {seen}, acknowledged was {wanted}")
                found += [
                    f"half-written: of {batch.keys()} only {batch.keys() & rows.keys()}"
                    for batch in writer.together
                    if batch.keys() & rows.keys() not in (set(), batch.keys())
                ]
                query = "SELECT tasks FROM task_counts WHERE user_id = %s"
                counted = connection.execute(query, [writer.user.id]).fetchone() or (0,)
                there = sum(map(len, rows.values()))
                if counted[0] != there:
                    found.append(f"half-written: {there} tasks, counted {counted[0]}")
        return found
