"""What processes use, as /proc tells it."""

import os
import re
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (thread / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of all below it, those that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / _TICKS
    below = 0.0
    for child in children(pid):
        try:
            below += cpu_seconds(child)
        except FileNotFoundError:  # it has ended since: its parent has its time
            continue
    return own + below


def unique_mib(smaps_rollup: str) -> float:
    """USS, the memory that would be free if the process ended: what it shares with nobody."""
    private = re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", smaps_rollup, re.MULTILINE)
    return sum(map(int, private)) / 1024


def unique_mib_of(pid: int) -> float:
    return unique_mib(Path(f"/proc/{pid}/smaps_rollup").read_text())


def settle(*pids: int, longest_s: float = 60) -> None:
    """Wait until nobody works on what an earlier load left behind."""
    deadline = time.monotonic() + longest_s
    used = sum(map(cpu_seconds, pids))
    while time.monotonic() < deadline:
        time.sleep(0.25)
        before, used = used, sum(map(cpu_seconds, pids))
        if used - before < 0.02:
            return
