"""How many cores this process may use."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

OWN_CGROUPS = Path("/proc/self/cgroup")  # a line for each hierarchy: "number:controllers:path"
CGROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The cores of the affinity mask or, if fewer, of the least CPU quota that holds here, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min([cores or 1, *_quotas()]))


def _quotas() -> Iterator[int]:
    """The cores of each CPU quota: that of the process's own group, and those of the groups above it."""
    for folder in _groups():
        with suppress(OSError, ValueError):  # a text may be "max", and each file may be missing
            quota, period = _quota_of(folder)
            if quota > 0 and period > 0:
                yield -(-quota // period)


def _quota_of(folder: Path) -> tuple[int, int]:
    """Microseconds of CPU time, and in how many microseconds they may be spent."""
    with suppress(FileNotFoundError):
        quota, period = map(int, (folder / "cpu.max").read_text().split())
        return quota, period
    # Version 1 has a file for each of the two; without a quota its text is -1.
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return quota, int((folder / "cpu.cfs_period_us").read_text())


def _groups() -> Iterator[Path]:
    """The folders that may have a quota for this process.

    The root is always one of them: in a container it mostly is the container's own group, while the path may
    be one of the host's, which is not there.
    """
    yield CGROUPS
    lines: list[str] = []
    with suppress(OSError):
        lines = os.fsdecode(OWN_CGROUPS.read_bytes()).splitlines()
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        group = PurePosixPath(path.lstrip("/"))
        if ".." in group.parts:  # the group is outside of what the container sees
            group = PurePosixPath()
        if not controllers:
            mounted = [CGROUPS]
        elif "cpu" in controllers.split(","):
            mounted = [CGROUPS / controllers, CGROUPS / "cpu"]
        else:
            continue
        yield from (root / part for root in mounted for part in (group, *group.parents))
