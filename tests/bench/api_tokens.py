"""What a get costs with an API token, beside one with a session's token.

    .venv/bin/pytest -n 0 -s tests/bench/api_tokens.py

prints the ratio of the time that a client waits, and of the CPU time of the service and of the database.
Blocks of requests with either kind of token take turns, so that what else the machine does meets both.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from support.live_service import LiveService, live_service

ROUNDS, REQUESTS = 60, 100


def test_a_get_with_an_api_token_costs_what_one_with_a_session_costs(
    database_url: str, tmp_path: Path
) -> None:
    with (
        live_service(database_url, tmp_path, WORKERS="1", THREADS="2") as service,
        service.client() as client,
    ):
        ann = service.sign_up(client)
        made = {"name": "x", "scope": "read"}
        answer = client.ask("POST", f"/api/{ann.id}/tokens", made, token=ann.token)
        path = service.add(client, ann)
        kinds = {"session": ann.token, "API token": answer.json["data"]["token"]}
        waits: dict[str, list[float]] = {kind: [] for kind in kinds}
        spent: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
        clocks = _clocks(service)
        for number in range(ROUNDS + 1):
            for kind, token in kinds.items():
                before = [clock() for clock in clocks]
                for _ in range(REQUESTS):
                    began = time.perf_counter()
                    assert client.ask("GET", path, token=token).status == 200
                    waits[kind].append(time.perf_counter() - began)
                used = [clock() - was for clock, was in zip(clocks, before, strict=True)]
                if number:  # the first round warms up
                    spent[kind].append([seconds / REQUESTS for seconds in used])
    p50 = {kind: statistics.median(waits[kind][REQUESTS:]) for kind in kinds}
    service_s, database_s = (
        {kind: statistics.median(one[part] for one in spent[kind]) for kind in kinds}
        for part in (0, 1)
    )
    for what, found in (
        ("p50 of a client", p50),
        ("CPU of the service", service_s),
        ("CPU of the database", database_s),
    ):
        ratio = found["API token"] / found["session"]
        figures = ", ".join(f"{kind} {seconds * 1e6:.0f} µs" for kind, seconds in found.items())
        print(f"{what}: {ratio:.3f} ({figures})")  # noqa: T201
        assert ratio < 1.25, what


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
