"""What has grown: a line through the last two thirds of a run, after everything has warmed up."""

from collections.abc import Callable
from statistics import linear_regression
from typing import NamedTuple

from .samples import Packed, Sample

LEAST_SAMPLES = 12  # fewer tell nothing: a run to try the program out
HOUR_S = 3600
# In an hour. 100 bytes a request would be 19 MiB. A worker's memory goes up and down by some MiB with
# large answers. Its cache of tokens is not full after half an hour: it takes 2 MiB an hour, 1.6 MiB in all.
WORKER_MIB, OTHER_MIB, BACKEND_MIB = 16.0, 3.0, 3.0
# As many as the pools of two workers may open. They open one when all are in use, so on a machine with little
# else to do the last of them comes late.
CONNECTIONS = 16
TABLE_GROWTH, TABLE_ROOM = 1.25, 2**19  # of the last third against the one before; bytes
# A vacuum leaves room for the rows of a few minutes; what is deleted as fast as made can have no rows.
BLOAT, BLOAT_ROOM = 4.0, 4 * 2**20


class Figure(NamedTuple):
    """What is looked at all the time, and by how much it may grow: in an hour, or (counts) in all."""

    name: str
    unit: str
    values: list[float]
    growth: float
    last: float  # growth in the last third alone: less where something was filling up
    bound: float
    in_an_hour: bool
    most: int | None = None  # of what may grow up to a bound of its own

    @property
    def is_fine(self) -> bool:
        if self.most is not None:
            return max(self.values) <= self.most
        return self.growth <= self.bound


def warmed_up(samples: list[Sample]) -> list[Sample]:
    """Those of the last two thirds."""
    return [one for one in samples if one.at >= samples[-1].at / 3]


def figures(samples: list[Sample]) -> list[Figure]:
    """All that has to stay where it is."""
    bounds = {
        name: WORKER_MIB if name.startswith("worker") else OTHER_MIB for name in samples[0].memory
    }
    found = [
        _figure(f"memory of {name}", samples, _memory_of(name), bound)
        for name, bound in bounds.items()
    ]
    found.append(
        _figure("memory of a connection's process", samples, _memory_of_a_backend, BACKEND_MIB)
    )
    counts: dict[str, Callable[[Sample], float]] = {
        "open files": lambda one: one.files,
        "threads": lambda one: one.threads,
    }
    found += [_figure(name, samples, of, None) for name, of in counts.items()]
    connections = _figure("connections to the database", samples, lambda one: one.connections, None)
    return [*found, connections._replace(most=CONNECTIONS)]


def findings(samples: list[Sample], tables: dict[str, Packed]) -> list[str]:
    """What has grown, in words; nothing of a run that is too short."""
    if len(samples) < LEAST_SAMPLES:
        return []
    found = [
        f"{one.name} grew to {max(one.values):.0f}, {one.most} are fine"
        if one.most is not None
        else f"{one.name} grew by {one.growth:.1f} {one.unit}{' an hour' if one.in_an_hour else ''},"
        f" at most {one.bound:g} are fine"
        for one in figures(samples)
        if not one.is_fine
    ]
    late = [one for one in samples if one.at >= samples[-1].at * 2 / 3]
    middle = [one for one in warmed_up(samples) if one not in late]
    for name, last in tables.items():
        before = max(one.tables[name].bytes for one in middle)
        after = max(one.tables[name].bytes for one in late)
        if after > before * TABLE_GROWTH + TABLE_ROOM:
            found.append(f"{name} grew from {before} to {after} bytes")
        if last.bytes > last.packed * BLOAT + BLOAT_ROOM:
            found.append(f"{name} has {last.bytes} bytes for what takes {last.packed}")
    return found


def _memory_of(name: str) -> Callable[[Sample], float]:
    return lambda one: one.memory[name]


def _memory_of_a_backend(one: Sample) -> float:
    return one.backends / max(1, one.connections)


def _figure(
    name: str, samples: list[Sample], of: Callable[[Sample], float], hourly: float | None
) -> Figure:
    late = [one for one in samples if one.at >= samples[-1].at * 2 / 3]
    values, growths = [of(one) for one in samples], []
    for some in (warmed_up(samples), late):
        slope = 0.0
        if len(some) > 1:
            slope = linear_regression([one.at for one in some], [of(one) for one in some]).slope
        # a count: not one more in all that time
        growths.append(slope * (HOUR_S if hourly else some[-1].at - some[0].at))
    return Figure(
        name,
        "MiB" if hourly else "",
        values,
        *growths,
        bound=hourly or 1.0,
        in_an_hour=bool(hourly),
    )
