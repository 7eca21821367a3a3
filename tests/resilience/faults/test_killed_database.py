"""PostgreSQL is killed under writes: what was acknowledged stays, and the service goes on by itself.

FAULT_ROUNDS=20 kills it more often than the usual 3 times.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from resilience.faults.writers import Writers
from support.live_service import LiveClient, LiveService, live_service
from support.postgres.server import Server, a_server
from support.waiting import at_most, until

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
pytestmark = pytest.mark.timeout(300 + 30 * ROUNDS)
WRITES = 550  # acknowledged from one kill to the next
WRITERS = 40
# Few, so that most writers queue behind others who wait for the database.
SETTINGS = {"WORKERS": "2", "THREADS": "4", "AUTH_RATE_LIMIT": "1000000 per minute"}
REFUSED_S = at_most(2)
RECOVERED_S = at_most(5)


@pytest.fixture
def database() -> Iterator[Server]:
    """A server with a database `todo`, which is not started."""
    with a_server() as server:
        server.make()
        server.start()
        server.ask("CREATE DATABASE todo")
        server.stop()
        yield server


@pytest.fixture
def serve(database: Server, tmp_path: Path) -> Iterator[Callable[..., LiveService]]:
    """Starts the database with these settings, and the service on it."""
    with ExitStack() as stack:

        def serve(**settings: str) -> LiveService:
            database.start(**settings)
            url = make_conninfo(database.url, dbname="todo")
            return stack.enter_context(live_service(url, tmp_path, **SETTINGS))

        yield serve


class Probe:
    """The health checks of a load balancer."""

    def __init__(self, client: LiveClient) -> None:
        self._client = client
        self.slowest_s = 0.0

    def is_ready(self) -> bool:
        """Whether the service is; alive it always is."""
        live, ready = self._status("live"), self._status("ready")
        assert live == 200
        assert ready in (200, 503)
        return ready == 200

    def _status(self, check: str) -> int:
        began = time.monotonic()
        reply = self._client.ask("GET", f"/health/{check}")
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        return reply.status


def test_no_acknowledged_write_is_lost_and_the_service_goes_on_by_itself(
    database: Server, serve: Callable[..., LiveService], figure: Any
) -> None:
    durable = {"fsync": "on"}
    service = serve(**durable)
    refused_s, recovered_s = [], []
    with Writers(service, WRITERS) as writers, service.client() as client:
        probe = Probe(client)
        for _ in range(ROUNDS):
            enough = writers.acknowledged + WRITES
            until(lambda enough=enough: writers.acknowledged >= enough)
            assert probe.is_ready()
            writers.forget_times()
            database.kill()
            refused = writers.statuses[503] + 3 * WRITERS
            until(lambda: not probe.is_ready())
            until(lambda refused=refused: writers.statuses[503] > refused)
            assert not probe.is_ready()
            refused_s.append(writers.slowest_s(503))
            database.start(**durable)
            back = time.monotonic()
            until(lambda back=back: writers.all_wrote_since(back) and probe.is_ready())
            recovered_s.append(time.monotonic() - back)
    assert writers.contradictions() == []
    assert service.leaks() == []
    assert writers.statuses.keys() == {200, 201, 204, 503}
    assert writers.unknown == 0  # the service itself stays
    assert max(recovered_s) < RECOVERED_S
    assert max(*refused_s, probe.slowest_s) < REFUSED_S
    killed = f"PostgreSQL killed {ROUNDS} times under {WRITERS} writers"
    figure(12, f"{killed}: acknowledged; of these lost", f"{writers.acknowledged}; 0")
    figure(
        12,
        f"{killed}: each has written again after its return within",
        f"{max(recovered_s):.2f} s",
    )
    figure(
        12,
        f"{killed}: answers 503, the slowest; health checks, the slowest",
        f"{writers.statuses[503]}, {max(refused_s):.2f} s; {probe.slowest_s:.2f} s",
    )


def test_a_password_change_happens_wholly_or_not_at_all(
    database: Server, serve: Callable[..., LiveService], figure: Any
) -> None:
    """With the password that is good go its sessions: old or new, never neither and never both."""
    durable = {"fsync": "on"}
    service = serve(**durable)
    changes = in_doubt = 0
    with service.client() as client, service.client() as other:
        user = service.sign_up(client)
        password = user.password

        def log_in(candidate: str) -> int:
            body = {"email": user.email, "password": candidate}
            answer = other.ask("POST", "/api/auth/login", body)
            if answer.status == 200:
                service.scan.secrets.add(answer.json["data"]["access_token"])
            return answer.status

        for round_ in range(ROUNDS):
            killer = threading.Timer(0.3 + 0.05 * round_, database.kill)
            killer.start()
            while True:
                wanted = f"pass-{uuid.uuid4().hex}"
                service.scan.secrets.add(wanted)
                body = {"current_password": password, "new_password": wanted}
                path = f"/api/{user.id}/password"
                answer = client.ask("PUT", path, body, token=user.token)
                if answer.status != 204:
                    break
                password = wanted
                changes += 1
            assert answer.status == 503
            killer.join()
            database.start(**durable)
            for each in (client, other):  # each worker connects again by itself
                until(lambda each=each: each.ask("GET", "/health/ready").status == 200)
            good = [one for one in (password, wanted) if log_in(one) == 200]
            assert len(good) == 1
            in_doubt += good == [wanted]
            [password] = good
            assert client.ask("GET", f"/api/{user.id}", token=user.token).status == 200
    assert service.leaks() == []
    figure(
        12,
        f"PostgreSQL killed {ROUNDS} times under password changes: changes; passwords lost",
        f"{changes} and {in_doubt} that was answered 503; 0",
    )


@pytest.mark.parametrize(
    ("setting", "loses"),
    [
        # Commits stay in the server's own memory, which goes with it, for as long as its writer sleeps.
        ({"synchronous_commit": "off", "wal_writer_delay": "10s"}, True),
        # What was written is the kernel's, which outlives the server: it takes a power cut.
        ({"fsync": "off"}, False),
    ],
    ids=["synchronous_commit=off", "fsync=off"],
)
def test_a_database_that_acknowledges_too_early_is_found_out(
    database: Server,
    serve: Callable[..., LiveService],
    setting: dict[str, str],
    loses: bool,
    figure: Any,
) -> None:
    service = serve(**setting)
    with Writers(service, WRITERS) as writers:
        until(lambda: writers.acknowledged >= WRITES)
        database.ask("CHECKPOINT")  # accounts and schema stay
        enough = writers.acknowledged + WRITES
        until(lambda: writers.acknowledged >= enough)
        database.kill()
    database.start(**setting)
    lost = [found for found in writers.contradictions() if found.startswith("lost")]
    assert bool(lost) == loses
    figure(
        12,
        f"the same once with {next(iter(setting))}=off: acknowledged; of these lost",
        f"{writers.acknowledged}; {len(lost)}",
    )
