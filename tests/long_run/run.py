"""A whole run: a service on a database, the traffic, the samples, and what was found."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.processes import cpu_seconds
from support.live_service import live_service

from .asking import Waits
from .samples import Packed, Sample, Sampler, packed
from .traffic import Plan, Traffic
from .upkeep import Upkeep, swept

SETTINGS = {
    "WORKERS": "2",
    "METRICS_PORT": "0",
    "BCRYPT_ROUNDS": "8",
    "AUTH_RATE_LIMIT": "1000000 per minute",
}
# Of how this one is set up: a superuser's URL, on machines where the tests run as root.
_OF_THE_RIG = ("the login ", "running as root")
MOST_COMPLAINTS = 5  # of the log, in the report
Say = Callable[[str], None]


@dataclass
class Outcome:
    """What came of a run."""

    plan: Plan
    samples: list[Sample] = field(default_factory=list)
    waits: dict[str, Waits] = field(default_factory=dict)  # by the kind of request
    statuses: dict[int, int] = field(default_factory=dict)
    tables: dict[str, Packed] = field(default_factory=dict)
    prunes: int = 0
    removed: dict[str, int] = field(default_factory=dict)  # rows, by table
    texts: int = 0  # looked through for leaks
    cores: float = 0.0  # that the service took
    wrong: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(self.statuses.values())


def run(database_url: str, folder: Path, plan: Plan, say: Say) -> Outcome:
    """Serve a migrated, empty database for as long as planned."""
    with ExitStack() as stack:
        database = stack.enter_context(psycopg.connect(database_url, autocommit=True))
        with ExitStack() as serving:
            service = serving.enter_context(live_service(database_url, folder, **SETTINGS))
            traffic = Traffic(service, plan, serving)
            outcome = Outcome(plan)
            sampler = Sampler(service, database)
            upkeep = Upkeep(database, database_url, folder)
            say(f"{plan.users} users have signed up")
            outcome.samples.append(sampler.look(0.0))
            with traffic.book.keeping("the run"), traffic.going_on():
                began, cpu = time.monotonic(), cpu_seconds(service.process.pid)
                _watch(traffic, sampler, upkeep, outcome, say)
                took = time.monotonic() - began
                outcome.cores = (cpu_seconds(service.process.pid) - cpu) / took
            if not traffic.book.wrong:
                say("comparing all tasks and copies")
                traffic.compare(database)
            log = service.log()
        outcome.tables = packed(database, list(outcome.samples[-1].tables))
    book = traffic.book
    outcome.waits, outcome.statuses = book.quantiles(), dict(book.statuses)
    outcome.prunes, outcome.removed = upkeep.rounds, dict(upkeep.pruned + swept(log))
    outcome.texts = traffic.scan.texts
    # The log says why: first, and not all of it.
    outcome.wrong = [*_complaints(log)[:MOST_COMPLAINTS], *book.wrong]
    return outcome


def _watch(traffic: Traffic, sampler: Sampler, upkeep: Upkeep, outcome: Outcome, say: Say) -> None:
    """Take samples and let time pass, until the end or something is wrong."""
    plan, began = outcome.plan, time.monotonic()
    next_look, next_upkeep = plan.every_s, plan.upkeep_every_s
    while (now := time.monotonic() - began) < plan.seconds and not traffic.is_over():
        if now >= next_look:
            outcome.samples.append(one := sampler.look(now))
            next_look = max(next_look, now - plan.every_s) + plan.every_s
            memory = ", ".join(f"{name} {mib:.1f}" for name, mib in one.memory.items())
            say(
                f"{now:.0f} s: {traffic.book.requests} requests; {memory} MiB; {one.files} files,"
                f" {one.connections} connections; tables {one.table_bytes / 2**20:.1f} MiB"
            )
        if now >= next_upkeep:
            upkeep.pass_time()
            next_upkeep += plan.upkeep_every_s
        traffic.wait(min(next_look, next_upkeep, plan.seconds) - (time.monotonic() - began))
    if not traffic.is_over():
        upkeep.pass_time()
    outcome.samples.append(sampler.look(time.monotonic() - began))


def _complaints(log: str) -> list[str]:
    """Lines of the log that say that something went wrong."""
    lines = [json.loads(line) for line in log.splitlines()]
    return [
        f"log: {line['level']}: {line['message']}"
        for line in lines
        if line["level"] not in ("INFO", "DEBUG") and not line["message"].startswith(_OF_THE_RIG)
    ]
