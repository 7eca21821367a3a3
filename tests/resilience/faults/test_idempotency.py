"""Creates that are sent again: at once, and after faults that leave open whether they were done.

RACE_ROUNDS=20 races longer than the usual 3 rounds, FAULT_ROUNDS=20 has more faults than the usual 3.
"""

import itertools
import os
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from resilience.conftest import AT_ONCE
from resilience.faults.retrying import Retrying
from support.live_service import LiveClient, LiveService, live_service
from support.postgres.proxy import proxied
from support.postgres.server import Server, a_server
from support.processes import children
from support.waiting import until

ROUNDS = int(os.environ.get("RACE_ROUNDS", "3"))
FAULT_ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
CLIENTS = 8
CREATES = 30  # answered from one fault to the next
SETTINGS = {"WORKERS": "2", "AUTH_RATE_LIMIT": "1000000 per minute"}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"WORKERS": "2"}


def test_of_the_same_create_sent_at_once_one_is_done(
    at_once: Any, service: LiveService, client: LiveClient, figure: Any
) -> None:
    for _ in range(ROUNDS):
        ann = service.sign_up(client)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = {"title": "Once"}
        found = at_once(
            lambda one, _, ann=ann, key=key, body=body: one.ask(
                "POST", ann.tasks, body, key, token=ann.token
            )
        )
        assert {reply.status for reply in found} == {201}
        [task] = client.ask("GET", ann.tasks, token=ann.token).json["data"]
        assert [reply.json["data"] for reply in found] == [task] * AT_ONCE
        assert [reply.headers["Idempotent-Replayed"] for reply in found].count(None) == 1
    what = f"{AT_ONCE} at once with one key, {ROUNDS} rounds: tasks a round"
    figure(14, what, "1, all answered 201 with it")


# --- a client that sends again ---


class Creating:
    """Clients who create tasks through faults, until the last one is answered."""

    def __init__(self, service: LiveService, *, with_key: bool = True) -> None:
        with service.client() as client:
            users = [service.sign_up(client) for _ in range(CLIENTS)]
        self.clients = [Retrying(service, user, with_key) for user in users]

    def through(self, faults: Iterable[Callable[[], None]]) -> None:
        """Let one fault happen after the other, and creates be answered before and after each."""
        done = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as threads:
            working = [threads.submit(one.create_until, done) for one in self.clients]
            try:
                self._wait_for_answers()
                for fault in faults:
                    fault()
                    self._wait_for_answers()
            finally:
                done.set()
        for one in working:
            one.result()

    def _wait_for_answers(self) -> None:
        enough = self.answered + CREATES
        until(lambda: self.answered >= enough)

    @property
    def answered(self) -> int:
        return sum(len(one.made) for one in self.clients)

    @property
    def retries(self) -> int:
        return sum(one.retries for one in self.clients)

    @property
    def replays(self) -> int:
        return sum(one.replays for one in self.clients)

    def wrong(self) -> Counter[str]:
        """What the tables hold otherwise than the clients were told, by its kind."""
        found: Counter[str] = Counter()
        with psycopg.connect(self.clients[0].service.database_url, autocommit=True) as connection:
            for one in self.clients:
                query = (
                    "SELECT title, array_agg(id::text) FROM tasks WHERE user_id = %s GROUP BY title"
                )
                there = dict(connection.execute(query, [one.user.id]).fetchall())
                found["duplicates"] += sum(len(ids) - 1 for ids in there.values())
                found["missing"] += sum(
                    task_id not in there.get(title, []) for title, task_id in one.made.items()
                )
                found["never asked for"] += len(there.keys() - one.made.keys())
                query = "SELECT tasks FROM task_counts WHERE user_id = %s"
                [(counted,)] = connection.execute(query, [one.user.id]).fetchall()
                found["miscounted"] += counted != sum(map(len, there.values()))
        return +found


@pytest.mark.parametrize("with_key", [True, False], ids=["with a key", "without"])
def test_lost_answers_and_terminated_backends_lead_to_no_duplicate_with_a_key(
    module_database_url: str, tmp_path: Path, with_key: bool, figure: Any
) -> None:
    terminated = 0
    with (
        proxied(module_database_url) as proxy,
        live_service(proxy.url, tmp_path, **SETTINGS) as service,
        closing(psycopg.connect(module_database_url, autocommit=True)) as admin,
    ):
        creating = Creating(service, with_key=with_key)

        def lose_answers() -> None:
            cuts = proxy.cuts + CLIENTS // 2
            proxy.cut_at("tasks/create", times=CLIENTS // 2)  # committed, and nobody hears of it
            until(lambda: proxy.cuts == cuts)

        def terminate() -> None:
            nonlocal terminated
            for _ in range(CLIENTS):
                terminated += admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'todo-api' AND datname = current_database()"
                    " ORDER BY state = 'active' DESC, random() LIMIT 1"
                ).rowcount

        creating.through([lose_answers, terminate] * FAULT_ROUNDS)
        assert terminated >= FAULT_ROUNDS
        assert service.leaks() == []
        found = creating.wrong()
    faults = f"{proxy.cuts} lost answers, {terminated} terminated backends"
    what = f"{faults}, {creating.retries} retries"
    if with_key:
        assert found == {}
        assert creating.replays > 0
        figure(14, f"{creating.answered} creates with a key, {what}: duplicates; missing", "0; 0")
    else:
        # so the same run does notice them
        assert found.keys() == {"duplicates"}
        figure(14, f"the same without a key, {what}: duplicates", str(found["duplicates"]))


@pytest.fixture
def database() -> Iterator[Server]:
    """A running server with a database `todo`."""
    with a_server() as server:
        server.make()
        server.start()
        server.ask("CREATE DATABASE todo")
        yield server


def test_a_killed_database_leads_to_no_duplicate_with_a_key(
    database: Server, tmp_path: Path, figure: Any
) -> None:
    url = make_conninfo(database.url, dbname="todo")
    with live_service(url, tmp_path, **SETTINGS) as service:
        creating = Creating(service)

        def kill() -> None:
            noticed = creating.retries + 2 * CLIENTS
            database.kill()
            until(lambda: creating.retries >= noticed)
            database.start()

        creating.through([kill] * FAULT_ROUNDS)
        assert service.leaks() == []
        assert creating.wrong() == {}
    what = (
        f"PostgreSQL killed {FAULT_ROUNDS} times, {creating.retries} retries: duplicates; missing"
    )
    figure(14, f"{creating.answered} creates with a key, {what}", "0; 0")


def test_killed_processes_of_the_service_lead_to_no_duplicate_with_a_key(
    module_database_url: str, tmp_path: Path, figure: Any
) -> None:
    with ExitStack() as stack:
        folders = (tmp_path / str(number) for number in itertools.count())

        def start(port: int) -> LiveService:
            folder = next(folders)
            folder.mkdir()
            chosen = SETTINGS | {"PORT": str(port)}
            return stack.enter_context(live_service(module_database_url, folder, **chosen))

        service = start(0)
        creating = Creating(service)

        def kill_a_worker() -> None:
            parent = service.process.pid
            victim = children(parent)[0]
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in children(parent) and len(children(parent)) == 2)

        def kill_the_parent() -> None:
            nonlocal service
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait()
            service = start(service.port)

        creating.through([kill_a_worker, kill_the_parent] * FAULT_ROUNDS)
        assert service.leaks() == []
        assert creating.wrong() == {}
    killed = f"{FAULT_ROUNDS} workers and {FAULT_ROUNDS} parents killed"
    what = f"{killed}, {creating.retries} retries: duplicates; missing"
    figure(14, f"{creating.answered} creates with a key, {what}", "0; 0")
