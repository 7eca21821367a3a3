"""How many cores this process may use."""

import os
from contextlib import suppress
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # as a container sees its own: "quota period"


def usable_cores() -> int:
    """The cores of the affinity mask or, if that is less, of the container's CPU quota, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):  # no quota is "max", or no file at all
        quota, period = map(int, CPU_QUOTA.read_text().split())
        cores = min(cores or 1, -(-quota // period))
    return cores or 1
