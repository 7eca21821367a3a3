"""All users at work, each in a thread, at a steady rate; and teams that write to one account at once."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import psycopg

from support.copies import Answer, Ask, Crowd, contradictions
from support.credentials import SECRET
from support.leaks import Scan
from support.live_service import LiveClient, LiveService, LiveUser

from .asking import Asker, Book
from .hand import Hand
from .model import need
from .user import User

USUAL_TASKS = 25
LARGE_TASKS, LARGE_NOTES = 1500, 900  # their lists have 1.9 MB
LARGE_EVERY = 50  # so many users have one with that many tasks
TEAMS, WRITERS, READERS = 2, 3, 2
AT_ONCE = 4  # users who are compared in the end
PARTIAL_STATES = 100  # of those that a copy of a team went through, looked at in the end


class Plan(NamedTuple):
    """How much is to be done."""

    users: int = 200
    steps_per_s: float = 60.0  # of all users together; most have more than one request
    seconds: float = 1800.0
    every_s: float = 10.0  # a sample
    upkeep_every_s: float = 60.0


class Traffic:
    """Users and teams that have signed up."""

    def __init__(self, service: LiveService, plan: Plan, stack: ExitStack) -> None:
        self.book = Book()
        self.scan = Scan(
            SECRET
        )  # not for each user's own password: that would take half of the CPU
        self._service, self._plan, self._stack = service, plan, stack
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clients: list[LiveClient] = []
        self.users = [self._user(number) for number in range(plan.users)]
        for one, next_one in zip(self.users, [*self.users[1:], self.users[0]], strict=True):
            one.neighbour = next_one.account.id
        self._teams = [self._team(number) for number in range(TEAMS)]
        for client in self._clients:
            client.close()  # the first users have been idle for long; each connects again when it asks

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Until the block ends, and what has been asked is answered."""
        self._threads = [
            threading.Thread(target=self._work, args=(number, user), daemon=True)
            for number, user in enumerate(self.users)
        ]
        for thread in self._threads:
            thread.start()
        try:
            with ExitStack() as teams:
                for crowd, _ in self._teams:
                    teams.enter_context(crowd)
                yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def compare(self, database: psycopg.Connection[Any]) -> None:
        """Look at each user's tasks and copies as a whole, and at what the database has counted."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(partial(self._compare_user, database), self.users))
        for team in self._teams:
            with self.book.keeping("a team"):
                self._compare_team(database, *team)
        for one in self.scan.found:
            self.book.fail(f"a leak: {one}")

    def _compare_team(
        self, database: psycopg.Connection[Any], crowd: Crowd, account: LiveUser
    ) -> None:
        crowd.read_to_the_end()
        for reader in crowd.readers:
            del reader.states[:-PARTIAL_STATES]
        asker = Asker(self._client(), self.book)
        listed = asker.expect(200, "list", "GET", account.tasks, token=account.token)["data"]
        found = contradictions(crowd.log, crowd.readers, database, account.id, listed)
        need(not found, f"{found}")

    def _compare_user(self, database: psycopg.Connection[Any], user: User) -> None:
        with self._kept(user):
            listed, log, copies = user.finish(), user.model.log, user.copies
            found = contradictions(log, copies, database, user.account.id, listed)
            need(not found, f"{found}")

    def _work(self, number: int, user: User) -> None:
        every_s = self._plan.users / self._plan.steps_per_s
        due = time.monotonic() + every_s * number / self._plan.users
        while not self._over.wait(max(0.0, due - time.monotonic())):
            with self._kept(user):
                user.step()
            due += every_s

    @contextmanager
    def _kept(self, user: User) -> Iterator[None]:
        """Keep what goes wrong. From then on the user's model is not to be relied upon: the work ends."""
        with self.book.keeping(f"user {user.account.id}"):
            yield
            return
        self._over.set()

    def _user(self, number: int) -> User:
        client = self._client()
        account = self._service.sign_up(client)
        is_large = number % LARGE_EVERY == LARGE_EVERY - 1
        tasks, notes = (LARGE_TASKS, LARGE_NOTES) if is_large else (USUAL_TASKS, 20)
        user = User(Hand(Asker(client, self.book), account, number, tasks, notes), number)
        with self._kept(user):
            user.settle()
        return user

    def _team(self, number: int) -> tuple[Crowd, LiveUser]:
        account = self._service.sign_up(self._client())
        asks = [self._asking(account, seed) for seed in range(WRITERS + READERS)]
        return Crowd(asks, writers=WRITERS, seed=number + 1), account

    def _asking(self, account: LiveUser, seed: int) -> Ask:
        """What asks for a member of a team: twice a second, about."""
        asker, chance = Asker(self._client(), self.book), random.Random(seed)

        def ask(
            method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
        ) -> Answer | None:
            self._over.wait(chance.random())
            whole = f"/api/{account.id}{path}"
            reply = asker.ask("of a team", method, whole, body, headers, token=account.token)
            if reply.status == 503:
                self.book.fail(f"a team: {method} {path}: 503")
                return None
            return Answer(reply.status, reply.json if reply.body else None)

        return ask

    def _client(self) -> LiveClient:
        client = self._stack.enter_context(LiveClient(self._service.port, self.scan))
        self._clients.append(client)
        return client

    def is_over(self) -> bool:
        """Whether something has gone wrong."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """For so long, or until something has gone wrong."""
        self._over.wait(max(0.0, seconds))
