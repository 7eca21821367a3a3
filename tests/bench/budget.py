"""The budget: how many Python calls each kind of request may make, and what to do when it makes others."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

FILE = Path(__file__).with_name("budget.toml")
RENEW = ".venv/bin/python tests/tools/renew_budget.py"
TOLERANCE = 0.15
_OPENING = f"""\
# Python calls that one request makes, from the WSGI entry to the end of the answer: see calls.py. A request
# that makes {TOLERANCE:.0%} more or fewer fails tests/bench/test_budget.py. Renew them with
#
#     {RENEW}
#
# and say in the commit what they were spent on.

[calls]
"""


def read() -> dict[str, int]:
    """The calls that are allowed, by kind of request."""
    calls: dict[str, int] = tomllib.loads(FILE.read_text(encoding="utf-8"))["calls"]
    return calls


def write(counted: dict[str, int]) -> None:
    """Allow what was counted."""
    lines = [f"{call} = {calls}\n" for call, calls in counted.items()]
    FILE.write_text(_OPENING + "".join(lines), encoding="utf-8")


def count_in(database_url: str, *, prepared_statements: bool = True) -> dict[str, int]:
    """What calls.py counts on an empty, migrated database, in a process of its own."""
    command = [sys.executable, "-m", "bench.calls", database_url]
    ran = subprocess.run(
        command if prepared_statements else [*command, "unprepared"],
        env={**os.environ, "PYTHONPATH": str(FILE.parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    counted: dict[str, int] = json.loads(ran.stdout)
    return counted


def judge(call: str, counted: int, allowed: int) -> str | None:
    """What is wrong with a count, and what to do about it."""
    change = counted / allowed - 1
    if change > TOLERANCE:
        return (
            f"{call} makes {counted} Python calls, {change:.0%} more than the {allowed} of "
            f"tests/bench/budget.toml. Every request pays for them: see what was added to its way "
            f"(cProfile, or git bisect with this test), and take it off again. If it is worth its "
            f"price, renew the budget with `{RENEW}`, and say in the commit what it buys."
        )
    if change < -TOLERANCE:
        return (
            f"Well done: {call} makes {counted} Python calls, {-change:.0%} fewer than the {allowed} "
            f"of tests/bench/budget.toml. Keep the gain: renew the budget with `{RENEW}`, so that "
            f"it can't be lost again unnoticed."
        )
    return None
