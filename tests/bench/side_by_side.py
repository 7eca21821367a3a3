"""What calls cost beside a get, and a batch beside single creates.

    .venv/bin/pytest -n 0 -s tests/bench/side_by_side.py

prints the ratio of the time that a client waits, and of the CPU time of the service and of the database.
Blocks of requests of either kind take turns, so that what else the machine does meets both.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.live_service import LiveClient, LiveService, LiveUser, live_service

ROUNDS, REQUESTS = 60, 100
Request = Callable[[], None]


class Costs:
    """Measures requests of a service; the first of two kinds is what the other is compared with."""

    def __init__(self, service: LiveService, client: LiveClient) -> None:
        self.service = service
        self.client = client
        self.user: LiveUser = service.sign_up(client)

    def ask(self, status: int, method: str, path: str, *rest: Any, **more: Any) -> Any:
        answer = self.client.ask(
            method, path, *rest, token=more.pop("token", self.user.token), **more
        )
        assert answer.status == status, answer.body
        return answer

    def ratios(
        self, kinds: dict[str, Request], rounds: int = ROUNDS, requests: int = REQUESTS
    ) -> dict[str, float]:
        """Of the second kind to the first: p50, CPU of the service, CPU of the database."""
        waits: dict[str, list[float]] = {kind: [] for kind in kinds}
        spent: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
        clocks = _clocks(self.service)
        for number in range(rounds + 1):
            for kind, request in kinds.items():
                before = [clock() for clock in clocks]
                for _ in range(requests):
                    began = time.perf_counter()
                    request()
                    waits[kind].append(time.perf_counter() - began)
                used = [clock() - was for clock, was in zip(clocks, before, strict=True)]
                if number:  # the first round warms up
                    spent[kind].append([seconds / requests for seconds in used])
        found = {
            "p50 of a client": {kind: statistics.median(waits[kind][requests:]) for kind in kinds}
        }
        for part, whose in enumerate(("service", "database")):
            found[f"CPU of the {whose}"] = {
                kind: statistics.median(one[part] for one in spent[kind]) for kind in kinds
            }
        first, second = kinds
        for what, seconds in found.items():
            each = ", ".join(f"{kind} {one * 1e6:.0f} µs" for kind, one in seconds.items())
            print(f"{what}: {seconds[second] / seconds[first]:.3f} ({each})")  # noqa: T201
        return {what: seconds[second] / seconds[first] for what, seconds in found.items()}


@pytest.fixture
def costs(database_url: str, tmp_path: Path) -> Iterator[Costs]:
    with (
        live_service(database_url, tmp_path, WORKERS="1", THREADS="2") as service,
        service.client() as client,
    ):
        yield Costs(service, client)


def test_a_get_with_an_api_token_costs_what_one_with_a_session_costs(costs: Costs) -> None:
    made = {"name": "x", "scope": "read"}
    answer = costs.ask(201, "POST", f"/api/{costs.user.id}/tokens", made)
    token = answer.json["data"]["token"]
    path = costs.service.add(costs.client, costs.user)
    ratios = costs.ratios(
        {
            "session": lambda: costs.ask(200, "GET", path),
            "API token": lambda: costs.ask(200, "GET", path, token=token),
        }
    )
    assert max(ratios.values()) < 1.25


@pytest.mark.parametrize("what", ["changes with nothing new", "304 of the list", "304 of changes"])
def test_to_learn_that_nothing_is_new_among_10_000_tasks_costs_what_a_get_costs(
    costs: Costs, what: str
) -> None:
    with psycopg.connect(costs.service.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tasks (user_id, title) SELECT %s, 'Buy oat milk ' || n"
            " FROM generate_series(1, 10000) AS n",
            [costs.user.id],
        )
        connection.execute("VACUUM ANALYZE tasks")
    listed = costs.ask(200, "GET", f"{costs.user.tasks}?limit=1")
    tag, task = listed.headers["ETag"], f"{costs.user.tasks}/{listed.json['data'][0]['id']}"
    changes = f"/api/{costs.user.id}/changes?since={listed.json['meta']['revision']}"
    path = costs.user.tasks if what == "304 of the list" else changes
    known = {"If-None-Match": tag} if what.startswith("304") else {}
    ratios = costs.ratios(
        {
            "get": lambda: costs.ask(200, "GET", task),
            what: lambda: costs.ask(304 if known else 200, "GET", path, None, known),
        }
    )
    assert max(ratios.values()) < 1.5


def test_a_batch_of_100_creates_beside_100_creates(costs: Costs) -> None:
    body = {"operations": [{"op": "create", "title": f"Task {number}"} for number in range(100)]}

    def singles() -> None:
        for _ in range(100):
            costs.ask(201, "POST", costs.user.tasks, {"title": "Buy oat milk"})

    def batch() -> None:
        costs.ask(200, "POST", f"{costs.user.tasks}/batch", body)

    ratios = costs.ratios({"100 creates": singles, "a batch": batch}, rounds=20, requests=2)
    assert ratios["p50 of a client"] < 1 / 5


def _clocks(service: LiveService) -> tuple[Callable[[], float], Callable[[], float]]:
    """The CPU time so far of the service's processes, and of the database's that serve it."""
    with psycopg.connect(service.database_url) as connection:
        rows: list[Any] = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'todo-api' AND datname = current_database()"
        ).fetchall()
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    ours = [service.process.pid, *map(int, children.read_text().split())]
    return lambda: _cpu(ours), lambda: _cpu([pid for (pid,) in rows])


def _cpu(pids: list[int]) -> float:
    return (
        sum(
            int((task / "schedstat").read_text().split()[0])
            for pid in pids
            for task in Path(f"/proc/{pid}/task").iterdir()
        )
        / 1e9
    )
