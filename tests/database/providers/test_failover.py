"""Several hosts in DATABASE_URL: the primary is lost, the standby takes over, the service goes on."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from psycopg.conninfo import make_conninfo

from support.live_service import live_service
from support.postgres.server import Server, a_server
from support.signed_up import create, sign_up, with_token
from support.waiting import at_most, until
from todo_api.database.calls import Call, ReadOnly, SessionEnded, Unavailable
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task
from todo_api.upkeep.database_check import UnfitDatabaseError, check_database
from todo_api.upkeep.migrate import MigrationError, migrate

pytestmark = pytest.mark.programs

RECOVERY_S = at_most(10)  # without a restart, once there is a server again that takes writes
WRITERS = 4
PATIENCE_S = 60
LIST = Call("tasks/list", row=as_task)


@dataclass
class Pair:
    """A primary, the standby that each of its commits waits for, and the URL of both."""

    primary: Server
    standby: Server
    url: str


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        primary, standby = (stack.enter_context(a_server()) for _ in range(2))
        primary.make()
        primary.start()
        primary.ask("CREATE DATABASE todo")
        standby.copy_from(primary, slot="standby")
        standby.start()
        # Only now, so that the standby did not copy it: it would wait for a standby of its own.
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        until(lambda: primary.ask("SELECT sync_state FROM pg_stat_replication") == "sync")
        hosts = ",".join(quote(str(server.folder), safe="") for server in (primary, standby))
        url = f"postgresql://todo@{hosts}/todo?target_session_attrs=read-write"
        yield Pair(primary, standby, url)


@dataclass
class Writer:
    """A user who writes for as long as asked to, and keeps what was acknowledged and when."""

    service: str
    account: dict[str, Any] = field(default_factory=dict)
    acknowledged: list[tuple[float, str]] = field(default_factory=list)  # asked at, title
    refused: list[int] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        place = urlsplit(self.service)
        with closing(http.client.HTTPConnection(place.hostname, place.port, timeout=30)) as link:
            headers = {"Content-Type": "application/json"}
            if self.account:
                headers["Authorization"] = f"Bearer {self.account['access_token']}"
            link.request(method, path, json.dumps(body) if body else None, headers)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())

    def sign_up(self, name: str) -> None:
        body = {"email": f"{name}@example.com", "password": "correct horse battery"}
        status, answer = self.call("POST", "/api/auth/signup", body)
        assert status == 201, answer
        self.account = answer["data"]

    @property
    def tasks(self) -> str:
        return f"/api/{self.account['user_id']}/tasks"

    def write(self, title: str) -> int:
        asked = time.monotonic()
        status, _ = self.call("POST", self.tasks, {"title": title})
        if status == 201:
            self.acknowledged.append((asked, title))
        else:
            self.refused.append(status)
        return status

    def write_until(self, done: threading.Event) -> None:
        number = 0
        while not done.is_set():
            number += 1
            if self.write(f"task {number}") != 201:
                done.wait(0.05)

    def titles(self) -> list[str]:
        status, answer = self.call("GET", self.tasks)
        assert status == 200, answer
        return [task["title"] for task in answer["data"]]

    def wrote_since(self, moment: float) -> bool:
        return bool(self.acknowledged) and self.acknowledged[-1][0] > moment


def test_the_standby_takes_over_and_no_acknowledged_write_is_lost(
    pair: Pair, tmp_path: Path
) -> None:
    with live_service(pair.url, tmp_path) as service, ThreadPoolExecutor(WRITERS) as threads:
        clients = [Writer(service.url) for _ in range(WRITERS)]
        for number, client in enumerate(clients):
            client.sign_up(f"writer{number}")
        done = threading.Event()
        writing = [threads.submit(client.write_until, done) for client in clients]
        try:
            until(lambda: all(len(client.acknowledged) >= 50 for client in clients))
            pair.primary.kill()
            lost = time.monotonic()
            until(lambda: all(client.refused for client in clients))  # an outage that is noticed
            assert pair.standby.ask("SELECT pg_promote()")
            promoted = time.monotonic()
            until(lambda: all(client.wrote_since(lost) for client in clients))
            recovered = time.monotonic()
        finally:
            done.set()
        for outcome in writing:
            outcome.result()
        print(  # noqa: T201 (figures for whoever runs it with -s)
            f"promoted after {promoted - lost:.2f} s, all writers served after"
            f" {recovered - lost:.2f} s, {sum(len(c.acknowledged) for c in clients)} acknowledged,"
            f" {sum(len(c.refused) for c in clients)} refused"
        )
        assert recovered - promoted < RECOVERY_S
        for client in clients:
            assert set(client.refused) <= {503}
            kept, acknowledged = client.titles(), [title for _, title in client.acknowledged]
            assert len(kept) == len(set(kept))
            assert not set(acknowledged) - set(kept)

        # The old primary comes back, read-only; a connection that has to be made anew passes it over.
        (pair.primary.data / "standby.signal").touch()
        pair.primary.start()
        ended = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
        assert pair.standby.ask(f"{ended} WHERE application_name = 'todo-api'") > 0
        assert clients[0].write("after the return") == 201
        assert "after the return" in clients[0].titles()


def test_a_start_on_the_standby_alone_is_refused_in_one_line(pair: Pair) -> None:
    url = make_conninfo(pair.standby.url, dbname="todo")
    for refused in (check_database, migrate):
        with pytest.raises((UnfitDatabaseError, MigrationError), match="the server is a standby"):
            refused(url)


def test_a_token_s_first_use_of_a_day_is_answered_on_a_standby() -> None:
    """Where nothing can be written, the day of the last use is not."""
    with a_server() as primary, a_server() as standby:
        primary.make()
        primary.start()
        primary.ask("CREATE DATABASE todo")
        standby.copy_from(primary, slot="standby")
        standby.start()
        urls = [make_conninfo(server.url, dbname="todo") for server in (primary, standby)]
        migrate(urls[0])
        with closing(Database(urls[0], connections=1)) as writing:
            who = sign_up(writing)
            clients = [with_token(writing, who, scope) for scope in ("read", "write")]
        with closing(Database(urls[1], connections=1)) as reading:

            def has_arrived() -> bool:
                with suppress(SessionEnded, Unavailable):
                    return reading.as_user(clients[1], LIST) == [[]]
                return False

            until(has_arrived)
            for client in clients:
                for _ in range(2):
                    assert reading.as_user(client, LIST) == [[]]
            with pytest.raises(Unavailable):
                reading.as_user(clients[1], create())
            with pytest.raises(ReadOnly):
                reading.as_user(clients[0], create())
