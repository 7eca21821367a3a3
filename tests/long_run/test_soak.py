"""The long run as a short one: it goes through, and it finds what is wrong."""

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bench.commit import ROOT
from long_run.growth import LEAST_SAMPLES, findings
from long_run.run import run
from long_run.samples import Packed, Sample, Table
from long_run.traffic import Plan

MIB = 2**20
SHORT = Plan(users=6, steps_per_s=30.0, seconds=3.0, every_s=1.0, upkeep_every_s=60.0)


def state() -> int:
    """When the page was written last."""
    page = ROOT / "tests" / "SOAK.md"
    return page.stat().st_mtime_ns if page.exists() else 0


@pytest.mark.slow
def test_the_command_goes_through_and_prints_the_page() -> None:
    command = [sys.executable, str(ROOT / "tests" / "tools" / "soak.py")]
    command += ["--users", "3", "--seconds", "2", "--rate", "10"]
    before = state()
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    [answers] = re.findall(r"Answers: (\d+)\. \*\*Wrong: 0\.\*\*", said.stdout)
    assert int(answers) > 50
    assert "Rows were removed by 1 runs" in said.stdout
    for name in ("worker 1", "worker 2", "metrics", "supervisor"):
        assert f"memory of {name}, MiB" in said.stdout
    assert state() == before  # it was a short run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "change", "named"),
    [
        ("BEFORE INSERT OR UPDATE ON tasks", "NEW.priority := 3;", "priority is not"),
        ("BEFORE INSERT ON deleted_tasks", "RETURN NULL;", "is another|409|instead of"),
    ],
    ids=["other content than was sent", "deletions that copies are not told"],
)
def test_what_is_wrong_is_found(
    database_url: str, tmp_path: Path, when: str, change: str, named: str
) -> None:
    body = f"BEGIN {change} RETURN NEW; END"
    with psycopg.connect(database_url, autocommit=True) as database:
        for statement in (
            f"CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
            f"CREATE TRIGGER wrong {when} FOR EACH ROW EXECUTE FUNCTION wrong()",
        ):
            database.execute(statement.encode())
    outcome = run(database_url, tmp_path, SHORT, say=lambda _: None)
    assert re.search(named, "\n".join(outcome.wrong))


def sample(number: int, **grown: float) -> Sample:
    """One of a run; what is named grows by so much from each to the next."""

    def of(name: str, start: float) -> float:
        return start + grown.get(name, 0) * number

    return Sample(
        at=10.0 * number,
        memory={"worker 1": of("worker", 30), "supervisor": of("supervisor", 6)},
        resident={"worker 1": 60, "supervisor": 50},
        files=int(of("files", 300)),
        threads=int(of("threads", 50)),
        connections=int(of("connections", 8)),
        backends=of("backends", 64),
        waiting=0,
        unsent=0.0,
        tables={"tasks": Table(int(of("tasks", 10 * MIB)), 1000, 0)},
    )


def found(last: int = 180, size: int = 10 * MIB, **grown: float) -> list[str]:
    tables = {"tasks": Packed(rows=1000, bytes=size, packed=5 * MIB)}
    return findings([sample(number, **grown) for number in range(last)], tables)


@pytest.mark.parametrize(
    ("grown", "named"),
    [
        ({"worker": 0.05}, "memory of worker 1"),  # MiB in 10 s: 18 in an hour
        ({"supervisor": 0.02}, "memory of supervisor"),
        ({"files": 0.01}, "open files"),  # 1.8 in the whole run
        ({"threads": 0.01}, "threads"),
        ({"connections": 0.1}, "connections"),  # 18 more
        ({"backends": 0.1}, "a connection's process"),
        ({"tasks": MIB / 10}, "tasks grew"),
        ({"size": 30 * MIB}, "tasks has"),
    ],
)
def test_what_grows_is_found(grown: dict[str, float], named: str) -> None:
    [finding] = found(**grown)
    assert named in finding


def test_what_stays_is_fine() -> None:
    assert found() == []
    assert found(worker=0.01) == []
    assert found(connections=0.04) == []  # up to 15
    assert found(worker=-1) == []


def test_a_run_that_is_too_short_says_nothing_about_growth() -> None:
    assert found(LEAST_SAMPLES - 1, worker=10) == []
