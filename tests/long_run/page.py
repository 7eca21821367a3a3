"""SOAK.md: the figures of a run."""

from .growth import LEAST_SAMPLES, Figure, figures
from .run import Outcome
from .traffic import LARGE_EVERY, LARGE_TASKS, READERS, TEAMS, USUAL_TASKS, WRITERS

COMMAND = ".venv/bin/python tests/tools/soak.py"
_FIGURES = [
    "what",
    "at the start",
    "after a third",
    "at the end",
    "growth",
    "in the last third",
    "at most",
]
_TABLES = ["table", "rows", "after a third", "at the end"]
_TABLES += ["after a vacuum", "packed", "most dead rows", "removed"]
_KINDS = ["kind", "requests", "p50, ms", "p95", "p99"]


_PAGE = """\
# A long run

Made {made}, with:

```sh
{command}
```

`todo-api serve` with two workers, on a PostgreSQL of its own. {users} users, each on a connection that
is kept, did something every {every_s:.1f} s for {minutes:.0f} minutes. A user has about {usual} tasks
({large} users {most}, with long notes), deletes as many as are made, and keeps two copies by `changes`;
one of them is away for long. The client reckons what each answer has to be, and compares it. At the end it
compares each user's list and copies as a whole. In {teams} more accounts, {writers} writers and
{readers} copies are at work at the same time. Once a minute, all deletions, keys, answers of batches and
events that are older than a minute are made so old that they expire, and `todo-api prune` removes them.

Answers: {answers}. **Wrong: {wrong}.** The service took {cores:.2f} cores. Texts looked through for
secrets, SQL and tracebacks: {texts}.

## What stays where it is

Memory is what a process shares with no other; in brackets, all that it has in memory. Growth is that of a
line through the last two thirds of the run, and through its last third alone. Until it is full, a worker's
cache of tokens grows by about 2 MiB an hour; then it has 1.6 MiB.

{figures}

At most {waiting} requests waited for a connection, and {unsent:.1f} MiB of answers for clients to read them.

## Tables

In KiB, with indexes. Packed is what the living rows take when they are written anew.

{tables}

Rows were removed by {prunes} runs of `todo-api prune`, and by the housekeeping of the workers.

## Requests

Other programs may have used the machine meanwhile, so the times say little.

{kinds}

Statuses: {statuses}. Each is what its request had to get.
"""


def page(outcome: Outcome, made: str) -> str:
    """The whole page; `made`: when, of which commit, on which machine."""
    plan, samples = outcome.plan, outcome.samples
    statuses = sorted(outcome.statuses.items())
    return _PAGE.format(
        made=made,
        command=COMMAND,
        users=plan.users,
        every_s=plan.users / plan.steps_per_s,
        minutes=plan.seconds / 60,
        usual=USUAL_TASKS,
        large=plan.users // LARGE_EVERY,
        most=LARGE_TASKS,
        teams=TEAMS,
        writers=WRITERS,
        readers=READERS,
        answers=outcome.requests,
        wrong=len(outcome.wrong),
        cores=outcome.cores,
        texts=outcome.texts,
        figures=_table(_FIGURES, [_row(one, outcome) for one in figures(samples)]),
        waiting=max(one.waiting for one in samples),
        unsent=max(one.unsent for one in samples),
        tables=_table(_TABLES, _tables(outcome)),
        prunes=outcome.prunes,
        kinds=_table(_KINDS, _kinds(outcome)),
        statuses=", ".join(f"{status}: {count}" for status, count in statuses),
    )


def _row(one: Figure, outcome: Outcome) -> list[str]:
    third = len(outcome.samples) // 3
    digits = 1 if one.in_an_hour else 0
    name = one.name.removeprefix("memory of ")
    shown = [f"{one.values[at]:.{digits}f}" for at in (0, third, -1)]
    if name in outcome.samples[0].resident:
        resident = [outcome.samples[at].resident[name] for at in (0, third, -1)]
        shown = [f"{own} ({all_of_it:.0f})" for own, all_of_it in zip(shown, resident, strict=True)]
    per = f" {one.unit}/h" if one.in_an_hour else ""
    judged = len(outcome.samples) >= LEAST_SAMPLES
    last = f"{one.last + 0:.1f}{per}".replace("-0.0", "0.0")
    mark = "**" if judged and not one.is_fine else ""
    growth = f"{mark}{one.growth + 0:.1f}{per}{mark}".replace("-0.0", "0.0")
    bound = f"{one.bound:g}{per}" if one.in_an_hour else "below 1"
    if one.most is not None:
        bound = f"{one.most} in all"
    return [f"{one.name}{', MiB' if one.in_an_hour else ''}", *shown, growth, last, bound]


def _tables(outcome: Outcome) -> list[list[str]]:
    rows = []
    third = outcome.samples[len(outcome.samples) // 3].tables
    for name, last in sorted(outcome.tables.items(), key=lambda pair: -pair[1].bytes):
        sizes = (third[name].bytes, outcome.samples[-1].tables[name].bytes, last.bytes, last.packed)
        dead = max(one.tables[name].dead_rows for one in outcome.samples)
        removed = outcome.removed.get(name, 0)
        kib = [f"{size // 1024}" for size in sizes]
        rows.append([f"`{name}`", f"{last.rows}", *kib, f"{dead}", f"{removed}"])
    return rows


def _kinds(outcome: Outcome) -> list[list[str]]:
    rows = sorted(outcome.waits.items(), key=lambda pair: -pair[1].number)
    return [
        [kind, f"{number}", *[f"{1000 * one:.1f}" for one in seconds]]
        for kind, (number, *seconds) in rows
    ]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
