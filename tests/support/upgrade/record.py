"""What users met, by the phase of the trial in which they asked."""

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Phase:
    """A part of the trial."""

    name: str
    may_fail: str = ""  # how requests may fail in it, as the guide says
    is_traceless: bool = (
        False  # the former version serves on the new schema: no change has a revision
    )
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def row(self) -> str:
        """A row of the table of phases."""
        times = sorted(self.times) or [0.0]
        high = times[int(len(times) * 0.99)]
        return (
            f"| {self.name} | {self.seconds:.1f} | {len(self.times)} | {self.failures.total()} |"
            f" {high:.2f} | {times[-1]:.2f} | {'; '.join(self.notes)} |"
        )


class Record:
    """All phases, the last of which is now; `wrong` is what must never be, in no phase."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    @property
    def now(self) -> Phase:
        return self.phases[-1]

    def begin(self, name: str, may_fail: str = "", *, is_traceless: bool = False) -> Phase:
        """Begin a phase; the one before it ends."""
        self.end()
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}\n")
        phase = Phase(name, may_fail, is_traceless)
        self.phases.append(phase)
        return phase

    def end(self) -> None:
        if self.phases and not self.now.seconds:
            self.now.seconds = time.monotonic() - self.now.began

    def answered(self, phase: Phase, seconds: float) -> None:
        with self._lock:
            phase.times.append(seconds)

    def failed(self, phase: Phase, what: str, seconds: float) -> None:
        with self._lock:
            phase.times.append(seconds)
            phase.failures[what] += 1

    def is_wrong(self, what: str) -> None:
        with self._lock:
            self.wrong.append(f"{self.now.name}: {what}")

    def report(self) -> str:
        """All phases as Markdown."""
        self.end()
        rows = "\n".join(phase.row() for phase in self.phases)
        failures = "\n".join(
            f"- {phase.name}: {count} x {what}"
            + (", as documented" if what == phase.may_fail else "")
            for phase in self.phases
            for what, count in phase.failures.most_common()
        )
        wrong = "\n".join(f"- **{one}**" for one in self.wrong[:50])
        return (
            "| phase | seconds | requests | failed | p99 s | longest s | |\n|---|---|---|---|---|---|---|\n"
            f"{rows}\n\n{failures or 'No request failed.'}\n\n"
            f"{wrong or 'No acknowledged write was lost, and no answer was wrong.'}\n"
        )

    def is_well(self) -> bool:
        """Whether nothing was wrong, and nothing failed but where the guide says so."""
        return not self.wrong and all(phase.may_fail or not phase.failures for phase in self.phases)
