"""What the processes have counted, read from their files whenever Prometheus asks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric


class Counted:
    """A collector for the files of a folder, without those that have only just been made."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def collect(self) -> Iterable[Metric]:
        """The sums over all processes.

        prometheus_client's own collector fails on an empty file. A worker that starts makes its files empty,
        and writes to each a moment later.
        """
        found = []
        for file in self._folder.glob("*.db"):
            with suppress(FileNotFoundError):  # the gauges of a worker that has just ended
                if file.stat().st_size:
                    found.append(str(file))
        sums: Iterable[Metric] = MultiProcessCollector.merge(found)  # type: ignore[no-untyped-call]
        return sums
