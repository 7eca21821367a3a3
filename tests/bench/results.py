"""RESULTS.md and its pictures, and the README's table."""

import re
from pathlib import Path

from .bars import bars, short
from .lines import lines
from .marks import ASYNCPG, BUSY, MANY, SINGLE, SQLMODEL, marks, name
from .peers import SCENARIOS
from .readings import OURS, Run, middle, ratio

FOLDER = Path(__file__).parent
README = FOLDER.parents[1] / "README.md"
COMMAND = ".venv/bin/python tests/tools/compare_speed.py"
_TITLES = {
    OURS: "this service",
    ASYNCPG: "FastAPI + asyncpg",
    SQLMODEL: "FastAPI + SQLModel",
    "fastify_pg": "Fastify + pg (Node)",
    "flask_sqlalchemy": "Flask-SQLAlchemy",
    "django_rest": "Django REST",
}
_README_HEAD = "requests/s (CPU of the server, ms)"
_IN_README = (OURS, ASYNCPG, SQLMODEL, "fastify_pg")


def write(run: Run, folder: Path) -> None:
    """Write the page and its pictures."""
    (folder / "RESULTS.md").write_text(page(run), encoding="utf-8")
    (folder / "comparison.svg").write_text(bars(run), encoding="utf-8")
    (folder / "growth.svg").write_text(lines(run), encoding="utf-8")


def write_readme(run: Run, readme: Path) -> None:
    """Write the README's table anew, and nothing else of that page."""
    text = readme.read_text(encoding="utf-8")
    renewed, found = re.subn(
        rf"^\| {re.escape(_README_HEAD)} .*?\n\n", readme_table(run) + "\n", text, flags=re.M | re.S
    )
    if found != 1:
        raise ValueError(f"{readme} has no table of speed")
    readme.write_text(renewed, encoding="utf-8")


def page(run: Run) -> str:
    """The whole page."""
    return "\n".join(
        part
        for part in (
            _opening(run),
            "## The marks\n",
            "A mark is a target for this service. What missed it is bold.\n",
            marks_table(run),
            "## Side by side\n",
            _side_by_side(run),
            _connections(run),
            _growth(run),
            _itself(run),
            _commands(run),
        )
        if part
    )


def marks_table(run: Run) -> str:
    """Each mark, what was measured, whether it was met, and the command that made it."""
    words = {True: "yes", False: "**no**", None: "not all measured"}
    return table(
        ["what", "mark", "measured", "met", "made by"],
        [
            [mark.what, mark.bound, mark.figures, words[mark.met], f"`--only {mark.part}`"]
            for mark in marks(run)
        ],
        figures=False,
    )


def readme_table(run: Run) -> str:
    """The short table."""
    targets = [one for one in _IN_README if one in run.targets("peers")]
    return table(
        [_README_HEAD, *map(_title, targets)],
        [
            [name(one), *(_rate(run, target, one, with_cpu=True) for target in targets)]
            for one in SCENARIOS
        ],
    )


def table(head: list[str], rows: list[list[str]], *, figures: bool = True) -> str:
    """Markdown; columns of figures stand to the right."""
    rule = "|---" + ("|--:" if figures else "|---") * (len(head) - 1) + "|"
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head,)] + [rule] + [
        "| " + " | ".join(row) + " |" for row in rows
    ]) + "\n"  # fmt: skip


def _opening(run: Run) -> str:
    missing = f"\nLeft out: {'; '.join(run.missing)}.\n" if run.missing else ""
    errors = sum(one.errors for one in run.readings)
    foreign = max((one.foreign_cores for one in run.readings), default=0.0)
    return f"""# Results

Made on {run.made_on} at commit {run.version}, on {run.machine}, with:

```sh
{COMMAND} --peers PEERS{f" --against {run.against}" if run.against else ""}
```

PEERS is a folder of other servers of the same API (the peers), with their `bench/bench.py`. Each server has
one worker. The servers take turns for {run.rounds} rounds. A measurement takes {run.duration} s, after one
second to warm up. Server, database and load share the machine. The figures are medians over the rounds; a
ratio is the median of the ratios of the rounds. This service runs with everything switched on but the rate
limit, and with a higher quota. Requests that failed: {errors}. Other programs on the machine used at most
{foreign:.2f} cores while the peers were measured.
{missing}"""


def _side_by_side(run: Run) -> str:
    targets = run.targets("peers")
    head = ["", *map(_title, targets)]
    rates = [[name(one), *(_rate(run, target, one) for target in targets)] for one in SCENARIOS]
    cpu = [
        [name(one), *(_figures(run, "peers", target, one, "app_cpu", "db_cpu") for target in targets)]
        for one in SCENARIOS
    ]  # fmt: skip
    return (
        f"![Bars: requests per second and CPU a request, by scenario](comparison.svg)\n\n"
        f"Requests/s at {BUSY} connections:\n\n{table(head, rates)}\n"
        f"CPU in ms a request, server + database:\n\n{table(head, cpu)}"
    )


def _connections(run: Run) -> str:
    targets = run.targets("latency")
    rows = [
        [
            name(one),
            *(
                _figures(run, "latency", target, one, "p50_ms", "p95_ms", "p99_ms", between=" / ")
                for target in targets
            ),
        ]
        for one in SINGLE
    ]
    return f"p50 / p95 / p99 in ms at {MANY} connections:\n\n{table(['', *map(_title, targets)], rows)}"


def _growth(run: Run) -> str:
    found = dict.fromkeys(one.target for one in run.readings if one.part == "growth")
    scenarios = dict.fromkeys(one.scenario for one in run.readings if one.part == "growth")
    rows = [
        [target.replace(" ", "\u00a0"), *(
            f"{_figures(run, 'growth', target, one, 'per_second')}/s, "
            f"{_figures(run, 'growth', target, one, 'app_cpu', 'db_cpu')}" for one in scenarios
        )]
        for target in found
    ]  # fmt: skip
    return f"""## Growth

![Lines: CPU by tasks in the table, requests per second by connections](growth.svg)

Requests/s, and CPU in ms a request (server + database). The user has 20 tasks, or 10 000 where the
table says so. The list is a page of 20:

{table(["tasks in the table", *map(name, scenarios)], rows)}"""


def _itself(run: Run) -> str:
    """Against another commit, when there was one."""
    before = [one for one in run.targets("peers") if one.startswith("at_")]
    if not before:
        return ""
    rows = []
    for one in SCENARIOS:
        ours, theirs = (run.of("peers", target, one, BUSY) for target in (OURS, before[0]))
        ratios = (ratio(ours, theirs, what) for what in ("per_second", "app_cpu", "db_cpu"))
        rows.append([name(one), *("" if found is None else f"{found:.2f}" for found in ratios)])
    head = ["ratio", "requests/s", "CPU of the server", "CPU of the database"]
    return f"## Against itself, {before[0].replace('at_', 'at commit ')}\n\n{table(head, rows)}"


def _commands(run: Run) -> str:
    parts = dict.fromkeys(mark.part for mark in marks(run))
    lines = [f"{COMMAND} --peers PEERS --only {part}" for part in parts]
    calls = "\n\n".join(command for found in run.commands.values() for command in found)
    return f"""## The commands

These commands measure the marks of one part each:

```sh
{chr(10).join(lines)}
```

The parts with peers call:

```sh
{calls}
```
"""


def _rate(run: Run, target: str, scenario: str, *, with_cpu: bool = False) -> str:
    rate = _figures(run, "peers", target, scenario, "per_second")
    return f"{rate} ({_figures(run, 'peers', target, scenario, 'app_cpu')})" if with_cpu else rate


def _figures(
    run: Run, part: str, target: str, scenario: str, *what: str, between: str = " + "
) -> str:
    """Medians."""
    found = [middle(run.of(part, target, scenario), one) for one in what]
    return between.join("" if value is None else short(value) for value in found)


def _title(target: str) -> str:
    return _TITLES.get(target, target.replace("at_", "at "))
