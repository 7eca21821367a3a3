"""The marks that the service has to reach, and whether a run reached them."""

from collections.abc import Callable
from typing import NamedTuple

from .readings import OURS, Run, middle, ratio

SQLMODEL, ASYNCPG = "fastapi_sqlmodel", "fastapi_asyncpg"
PEERS = ("fastify_pg", ASYNCPG, SQLMODEL, "flask_sqlalchemy", "django_rest")
SINGLE = ("get", "list20", "create", "update", "complete")
NAMES = {"list20": "list of 20", "list1000": "list of 1 000"}
EMPTY, HEAVY, OTHERS = "empty", "10 000 of the user", "1 000 000 of others"
GROWING = ("get", "create", "list20")
BUSY, MANY = 16, 128  # connections


class Mark(NamedTuple):
    """One row of the table: what was asked, what each scenario gave, and whether all of them are within."""

    what: str
    bound: str
    part: str
    measured: dict[str, float | None]
    within: Callable[[float], bool]
    shown: str = "{:.2f}"

    @property
    def met(self) -> bool | None:
        """None when some of it was not measured and the rest is within."""
        found = [value for value in self.measured.values() if value is not None]
        if not all(map(self.within, found)):
            return False
        return True if found and len(found) == len(self.measured) else None

    @property
    def figures(self) -> str:
        """The figures in words; those out of bounds are bold."""
        if all(value is None for value in self.measured.values()):
            return "not measured"
        return ", ".join(f"{name} {self._shown(value)}" for name, value in self.measured.items())

    def _shown(self, value: float | None) -> str:
        if value is None:
            return "not measured"
        text = self.shown.format(value)
        return text if self.within(value) else f"**{text}**"


def at_most(bound: float) -> Callable[[float], bool]:
    return lambda value: value <= bound


def at_least(bound: float) -> Callable[[float], bool]:
    return lambda value: value >= bound


def marks(run: Run) -> list[Mark]:
    """Every mark, with what the run has to say about it."""

    def against(
        peer: str, scenario: str, what: str, part: str = "peers", connections: int = BUSY
    ) -> float | None:
        return ratio(
            run.of(part, OURS, scenario, connections),
            run.of(part, peer, scenario, connections),
            what,
        )

    def each(peer: str, what: str, **more: object) -> dict[str, float | None]:
        return {name(one): against(peer, one, what, **more) for one in SINGLE}  # type: ignore[arg-type]

    def growth(target: str) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for one in GROWING:
            grown, empty = run.of("growth", target, one), run.of("growth", EMPTY, one)
            ratios = [ratio(grown, empty, what) for what in ("seconds", "cpu")]
            worse = max((one for one in ratios if one is not None), default=None)
            found[f"{name(one)} with {target}"] = worse
        return found

    many = {"part": "latency", "connections": MANY}
    lists = ratio(
        run.of("peers", OURS, "list1000", BUSY), run.of("peers", OURS, "list20", BUSY), "app_cpu"
    )
    return [
        Mark(
            "CPU a request, server, against FastAPI+SQLModel", "at most 1/3", "peers",
            each(SQLMODEL, "app_cpu"), at_most(1 / 3),
        ),
        Mark(
            "requests/s against FastAPI+asyncpg", "at least 1.0", "peers",
            each(ASYNCPG, "per_second"), at_least(1.0),
        ),
        Mark(
            "list of 1 000, requests/s against every peer", "at least 1.5", "peers",
            {peer: against(peer, "list1000", "per_second") for peer in PEERS}, at_least(1.5),
        ),
        Mark(
            "CPU a get against the same waitress and Flask answering a constant", "at most 1.6", "constant",
            {"get": ratio(run.of("constant", OURS, "get"), run.of("constant", "constant", "get"), "app_cpu")},
            at_most(1.6),
        ),
        Mark(
            f"p99 at {MANY} connections against FastAPI+asyncpg", "at most 1.0", "latency",
            each(ASYNCPG, "p99_ms", **many), at_most(1.0),
        ),
        Mark(
            f"p95 at {MANY} connections, in ms", "under 200", "latency",
            {name(one): middle(run.of("latency", OURS, one, MANY), "p95_ms") for one in SINGLE},
            lambda value: value < 200, "{:.0f}",
        ),
        Mark(
            "list of 1 000 against list of 20, CPU, server", "at most 4", "peers",
            {"list": lists}, at_most(4),
        ),
        Mark(
            "with many tasks against an empty table, time or CPU a request, whichever is worse",
            "at most 1.2", "growth",
            growth(HEAVY) | growth(OTHERS), at_most(1.2),
        ),
        Mark(
            "CPU a request with 2 workers against 1", "at most 1/0.9", "workers",
            {"get": ratio(run.of("workers", "2", "get"), run.of("workers", "1", "get"), "app_cpu")},
            at_most(1 / 0.9),
        ),
        Mark(
            "memory of a worker at rest, unique (USS), in MiB", "at most 40 MiB", "start",
            {"largest": max(run.memory_mib, default=None)}, at_most(40e6 / 2**20), "{:.1f}",
        ),
        Mark(
            "start to the first 200, warm, on an existing database, in s", "at most 1", "start",
            {"slowest": max(run.start_s, default=None)}, at_most(1.0),
        ),
    ]  # fmt: skip


def name(scenario: str) -> str:
    """A scenario as people call it."""
    return NAMES.get(scenario, scenario)
