"""Loads a server with wrk, and reads what it cost."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from .processes import cpu_seconds, settle
from .readings import PartFailed, Reading
from .service import MeasuredService

_SCRIPT = Path(__file__).with_name("load.lua")


class Request(NamedTuple):
    """One request; as text, a line for load.lua."""

    method: str
    path: str
    token: str
    body: Any = None

    def __str__(self) -> str:
        body = "" if self.body is None else json.dumps(self.body)
        return f"{self.method}\t{self.path}\t{self.token}\t{body}\n"


class Load(NamedTuple):
    """What a server is asked, and in whose name of a comparison."""

    target: str
    scenario: str
    service: MeasuredService
    requests: Path


def need_wrk() -> None:
    """End with a sentence where there is no wrk."""
    if not shutil.which("wrk"):
        sys.exit("wrk is missing, which makes the load: install it (Debian: apt-get install wrk)")


def in_turn(
    part: str,
    loads: list[Load],
    admin: psycopg.Connection[Any],
    *,
    rounds: int,
    duration: int,
    concurrency: int = 16,
) -> list[Reading]:
    """Load each in turn, round after round, so that what is compared lies seconds apart."""
    database = _postmaster(admin)
    found = []
    for number in range(1, rounds + 1):
        for load in loads:
            pids = load.service.pid, database
            _wrk(load, concurrency, 1)  # a second to warm up
            settle(*pids)
            admin.execute("CHECKPOINT")  # or one of an earlier load may fall into this one
            before = [cpu_seconds(pid) for pid in pids]
            read = _wrk(load, concurrency, duration)
            app, db = (cpu_seconds(pid) - then for pid, then in zip(pids, before, strict=True))
            thousands = max(read["requests"], 1) / 1000
            reading = Reading(
                part=part,
                round=number,
                target=load.target,
                scenario=load.scenario,
                concurrency=concurrency,
                requests=read["requests"],
                per_second=read["requests"] / read["seconds"],
                p50_ms=read["p50_ms"],
                p95_ms=read["p95_ms"],
                p99_ms=read["p99_ms"],
                errors=read["errors"],
                app_cpu=app / thousands,
                db_cpu=db / thousands,
            )
            sys.stderr.write(
                f"{part} {number}: {load.scenario} {load.target}: {reading.per_second:.0f}/s,"
                f" CPU {reading.app_cpu:.3f} + {reading.db_cpu:.3f} ms, errors {reading.errors}\n"
            )
            found.append(reading)
    return found


def _wrk(load: Load, concurrency: int, seconds: int) -> dict[str, Any]:
    options = [f"-c{concurrency}", f"-d{seconds}s", "--timeout", f"{seconds + 5}s"]
    ran = subprocess.run(
        ["wrk", "-t1", *options, "-s", _SCRIPT, load.service.url, "--", load.requests],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    return read_output(ran.stdout + ran.stderr)


def read_output(output: str) -> dict[str, Any]:
    """What load.lua printed."""
    match = re.search(r"^READ (\{.*\})$", output, re.MULTILINE)
    if not match:
        raise PartFailed(f"wrk failed: {output}")
    read: dict[str, Any] = json.loads(match[1])
    return read


def _postmaster(admin: psycopg.Connection[Any]) -> int:
    """The server's first process: the parent of every connection's."""
    backend = Path(f"/proc/{admin.info.backend_pid}/stat").read_text()
    return int(backend.rpartition(")")[2].split()[1])
