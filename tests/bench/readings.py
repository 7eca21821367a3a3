"""What was read in a run, and the ratios that follow from it."""

from statistics import median

from msgspec import Struct, field

OURS = "todo_api"


class PartFailed(Exception):
    """A part could not be measured; the others can."""


class Reading(Struct, kw_only=True):
    """One load on one server. CPU is in seconds per 1 000 requests, which is milliseconds a request."""

    part: str
    round: int
    target: str
    scenario: str
    concurrency: int
    requests: int
    per_second: float
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    errors: int = 0
    app_cpu: float = 0.0
    db_cpu: float = 0.0
    foreign_cores: float = 0.0

    @property
    def cpu(self) -> float:
        """Of server and database together."""
        return self.app_cpu + self.db_cpu

    @property
    def seconds(self) -> float:
        """For one request, at this load."""
        return 1 / self.per_second


class Run(Struct, kw_only=True):
    """One call of the command: what was measured, where, and what was left out."""

    made_on: str = ""
    version: str = ""
    against: str = ""
    machine: str = ""
    rounds: int = 0
    duration: int = 0
    readings: list[Reading] = field(default_factory=list)
    start_s: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    commands: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def of(
        self, part: str, target: str, scenario: str, concurrency: int | None = None
    ) -> dict[int, Reading]:
        """The readings of one place, by round."""
        return {
            reading.round: reading
            for reading in self.readings
            if (reading.part, reading.target, reading.scenario) == (part, target, scenario)
            and concurrency in (None, reading.concurrency)
        }

    def targets(self, part: str) -> list[str]:
        """Who was measured in a part, ours first."""
        found = dict.fromkeys(one.target for one in self.readings if one.part == part)
        return sorted(found, key=lambda name: (name != OURS, name))


def middle(readings: dict[int, Reading], what: str) -> float | None:
    """The median of a figure over the rounds."""
    return median(getattr(one, what) for one in readings.values()) if readings else None


def ratio(ours: dict[int, Reading], theirs: dict[int, Reading], what: str) -> float | None:
    """The median of the rounds' ratios: readings of one round lie seconds apart."""
    pairs = [
        (getattr(ours[one], what), getattr(theirs[one], what))
        for one in ours.keys() & theirs.keys()
    ]
    ratios = [mine / other for mine, other in pairs if other]
    return median(ratios) if ratios else None
