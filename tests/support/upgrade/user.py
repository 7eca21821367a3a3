"""A user at work, who knows what each of the own tasks has to be."""

import random
import threading
import uuid
from typing import Any

from support.upgrade.asking import Answer, Asking, Unanswered
from support.upgrade.record import Record

# What both versions say of a task.
_MEMBERS = ("id", "title", "is_completed", "completed_at", "created_at", "updated_at")
PASSWORD = "a correct horse of some battery"
Task = dict[str, Any]


def _known(task: Task) -> Task:
    return {name: task[name] for name in _MEMBERS}


class User(threading.Thread):
    """Asks until the end, one request after the other; nobody else asks for the same account."""

    def __init__(self, asking: Asking, record: Record, email: str, *, is_new: bool = False) -> None:
        super().__init__(daemon=True)
        self.email = email
        self.tasks: dict[str, Task] = {}
        self.id = self.token = ""
        self._asking, self._record = asking, record
        self._is_new = is_new
        self._end = threading.Event()
        self._choice = random.Random(email)
        self._tags: dict[str, tuple[str, Task]] = {}
        self._begun: list[str] = []
        self._changed_without: set[str] = set()  # maybe by the former version on the new schema
        self.stale = 0  # 304 where a version that knows no revisions had changed the task

    def run(self) -> None:
        try:
            self._come()
            while not self._end.wait(0.02):
                self._take_a_turn()
        except Exception as error:
            self._record.is_wrong(f"{self.email}: {type(error).__name__}: {error}")
            raise
        finally:
            self._asking.close()

    def finish(self) -> None:
        self._end.set()
        self.join()

    def _take_a_turn(self) -> None:
        turns = (self.create, self.create_once, self.get, self.update, self.complete, self.delete)
        rare = (self.list, self.page_through, self.log_in_again)
        turn = self._choice.choice(turns if self._choice.random() < 0.9 else rare)
        self._begun = []
        try:
            turn()
        except Unanswered:
            self._end.wait(0.1)
            self._settle()

    # what a user does

    def create(self) -> None:
        title = self._title()
        self._begun = [title]
        self._is_there(
            self._ask("POST", self._path(), {"title": title}, expected=(201,)).data, title
        )

    def create_once(self) -> None:
        """A create with a key, and the same again: from whatever version, the same answer."""
        title, key = self._title(), str(uuid.uuid4())
        self._begun = [title]
        answers: list[Task] = []
        while len(answers) < 2:
            try:
                answer = self._ask(
                    "POST", self._path(), {"title": title}, expected=(201,), Idempotency_Key=key
                )
            except Unanswered:
                if self._end.wait(0.1):
                    raise
                continue
            answers.append(_known(answer.data))
        self._is_there(answers[0], title)
        self._must(answers[0] == answers[1], f"a replay is {answers[1]}, not {answers[0]}")

    def get(self) -> None:
        """Read a task, with the tag of the last time: 304 only if it has not changed."""
        if not self.tasks:
            return
        task = self._any()
        tag, seen = self._tags.get(task["id"], ("", {}))
        headers = {"If_None_Match": tag} if tag else {}
        answer = self._ask("GET", self._path(task), expected=(200, 304), **headers)
        if answer.status == 304:
            if seen != task:
                self.stale += 1
                excused = task["id"] in self._changed_without
                self._must(excused, f"304 for {tag}, but {task} has changed since {seen}")
            return
        self._must(_known(answer.data) == task, f"{answer.data} is not {task}")
        if len(self._tags) > 20:
            self._tags.clear()
        self._tags[task["id"]] = (answer.headers["ETag"], task)

    def update(self) -> None:
        if self.tasks:
            task, title = self._any(), self._title()
            self._begun = [task["id"]]
            data = self._ask("PUT", self._path(task), {"title": title}).data
            self._must(data["id"] == task["id"] and data["title"] == title, f"{data} after {title}")
            self._has_changed(data)

    def complete(self) -> None:
        if self.tasks:
            task = self._any()
            self._begun = [task["id"]]
            data = self._ask("PATCH", f"{self._path(task)}/complete").data
            self._must(bool(data["is_completed"]), f"{data} is not completed")
            self._has_changed(data)

    def delete(self) -> None:
        if len(self.tasks) > 10:
            task = self._any()
            self._begun = [task["id"]]
            self._ask("DELETE", self._path(task), expected=(204,))
            self._begun = []
            del self.tasks[task["id"]]
            self._ask("GET", self._path(task), expected=(404,))

    def list(self) -> None:
        self._agrees(self._listed())

    def page_through(self) -> None:
        """All pages; a cursor that another version made may have to be given up, and is counted."""
        found: list[Task] = []
        cursor = ""
        while True:
            query = f"?limit=100{'&cursor=' if cursor else ''}{cursor}"
            answer = self._ask("GET", self._path() + query)
            found += answer.data
            cursor = answer.body["meta"]["next_cursor"]
            if cursor is None:
                break
        self._must(len({task["id"] for task in found}) == len(found), "a task in two pages")
        self._agrees({task["id"]: _known(task) for task in found})

    def log_in_again(self) -> None:
        """A second session, and the end of the first."""
        before = self.token
        self._sign_in("login", 200)
        self._ask("POST", "/api/auth/logout", expected=(204,), token=before)
        self._ask("GET", self._path() + "?limit=1", expected=(401,), token=before)

    # what is known

    def _come(self) -> None:
        self._sign_in("signup", 201) if self._is_new else self._sign_in("login", 200)
        self.tasks = self._listed()

    def _sign_in(self, call: str, status: int) -> None:
        body = {"email": self.email, "password": PASSWORD}
        data = self._asking.ask("POST", f"/api/auth/{call}", body, expected=(status,)).data
        self.id, self.token = data["user_id"], data["access_token"]

    def _settle(self) -> None:
        """After a request that failed: all is as it was, but what was begun may be done or not."""
        begun, self._begun = self._begun, []
        while True:
            try:
                listed = self._listed()
                break
            except Unanswered:
                if self._end.wait(0.1):
                    return
        for task in list({**self.tasks, **listed}.values()):
            is_open = task["id"] in begun or task["title"] in begun
            if is_open and task["id"] in listed:
                self.tasks[task["id"]] = listed[task["id"]]
            elif is_open:
                del self.tasks[task["id"]]
        self._agrees(listed)

    def _listed(self) -> dict[str, Task]:
        return {task["id"]: _known(task) for task in self._ask("GET", self._path()).data}

    def _agrees(self, listed: dict[str, Task]) -> None:
        if listed != self.tasks:
            lost = sorted(self.tasks.keys() - listed.keys())
            extra = sorted(listed.keys() - self.tasks.keys())
            other = [
                (listed[one], task)
                for one, task in self.tasks.items()
                if listed.get(one, task) != task
            ]
            self._record.is_wrong(f"{self.email}: lost {lost}, extra {extra}, other {other[:3]}")
            self.tasks = listed

    def _is_there(self, data: Task, title: str) -> None:
        self._must(data["title"] == title, f"{data} was made of {title}")
        self.tasks[data["id"]] = _known(data)

    def _has_changed(self, data: Task) -> None:
        self.tasks[data["id"]] = _known(data)
        if self._record.now.is_traceless:
            self._changed_without.add(data["id"])
        else:
            self._changed_without.discard(data["id"])

    def _must(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self._record.is_wrong(f"{self.email}: {otherwise}")

    def _any(self) -> Task:
        """A task: mostly one that was read lately, so that tags are sent again after changes."""
        lately = [one for one in self._tags if one in self.tasks]
        among = lately if lately and self._choice.random() < 0.8 else list(self.tasks)
        return self.tasks[self._choice.choice(among)]

    def _title(self) -> str:
        return f"ü {self._choice.randrange(10**12)} 😀"

    def _path(self, task: Task | None = None) -> str:
        return f"/api/{self.id}/tasks" + (f"/{task['id']}" if task else "")

    def _ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self._asking.ask(method, path, body, **({"token": self.token} | more))


class Newcomer(User):
    """Signs up again and again, and does a little each time."""

    def __init__(self, asking: Asking, record: Record, name: str) -> None:
        super().__init__(asking, record, name, is_new=True)
        self._name = name

    def run(self) -> None:
        try:
            number = 0
            while not self._end.wait(0.05):
                number += 1
                self.email, self.tasks, self._tags = f"{number}.{self._name}", {}, {}
                try:
                    self._sign_in("signup", 201)
                    for turn in (self.create, self.create_once, self.update, self.list):
                        turn()
                    self.log_in_again()
                    self.list()
                except Unanswered:
                    self._end.wait(0.1)
        except Exception as error:
            self._record.is_wrong(f"{self.email}: {type(error).__name__}: {error}")
            raise
        finally:
            self._asking.close()
