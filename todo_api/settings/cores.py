"""How many cores this process may use."""

import os
from contextlib import suppress
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # in a container, its own: "quota period"


def usable_cores() -> int:
    """The cores of the affinity mask or, if fewer, of the container's CPU quota, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):  # without a quota the text is "max", or there is no file
        quota, period = map(int, CPU_QUOTA.read_text().split())
        cores = min(cores or 1, -(-quota // period))
    return cores or 1
