"""Processes of this machine, as /proc shows them."""

import contextlib
import os
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that this one has started and not outlived."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def keepers(folder: Path) -> list[int]:
    """The processes that keep a server of or below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if len(words) > 4 and words[4].startswith(os.fsencode(folder)):
                found.append(int(process.name))
    return found
