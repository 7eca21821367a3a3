"""sql/PLANS.md: every statement with its plan, and how the work grows, as a DBA would read it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from .cases import FOLDER
from .fill import Filled
from .growth import TASKS_PER_USER, Step
from .measure import Measured

PAGE = FOLDER / "PLANS.md"
PICTURE = FOLDER / "plans.svg"
_GROWTH = "## Growth\n"
_NOT_YET = _GROWTH + "\nNot measured yet.\n"


def write_plans(version: str, filled: Filled, pages: dict[str, int], found: list[Measured]) -> None:
    """Write the page anew but for its part about growth."""
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    growth = old[old.index(_GROWTH) :] if _GROWTH in old else _NOT_YET
    parts = [_opening(version, filled, pages), _summary(found), *map(_plan, found), growth]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def write_growth(version: str, steps: list[Step]) -> None:
    """Write the part about growth anew, and nothing else."""
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else _GROWTH
    PAGE.write_text(old[: old.index(_GROWTH)] + _growth(version, steps), encoding="utf-8")


def _opening(version: str, filled: Filled, pages: dict[str, int]) -> str:
    heavy, typical = filled.heavy.rows["tasks"], filled.typical.rows["tasks"]
    sizes = "\n".join(f"| `{name}` | {grouped(count)} |" for name, count in sorted(pages.items()))
    return f"""# Plans

What PostgreSQL does for each statement of this folder. Made on {_today()} by PostgreSQL {version} with its
default settings (`shared_buffers` 128 MB), with:

```sh
.venv/bin/python tests/tools/renew_plans.py
```

- **The database** has {grouped(filled.tasks)} tasks of {grouped(filled.users)} users, in a Zipf-like
  distribution. One user has {grouped(heavy)} tasks, another has {grouped(typical)}. The tasks of each user
  are scattered over two years, among the tasks of all others. Sessions, events and counters are in
  proportion.
- **How they ran:** as the service runs them, that is as `todo_app` with row security, after
  `begin_request`, and prepared. All pages were in memory, and each statement was rolled back. The user is
  the one with {grouped(typical)} tasks, unless the title says otherwise. The plans are custom plans (for
  given values). The generic plans, to which PostgreSQL may change, have the same shape.
- **Indexes** are the indexes that were searched by the statement itself, by a function or by a foreign key.
  The indexes that an insert adds to are in the line *Blocks* of its plan.
- **Blocks** are the pages of 8 kB in memory that the statement touched, of tables and of indexes. The checks
  of foreign keys count, and so does a WITH that nothing refers to; EXPLAIN leaves both out of its top line.
  The catalogues do not count.
- **ms** is the execution time that EXPLAIN reports, without planning. It can vary by half.
- **Estimates** are left out of the plans, because ANALYZE draws other samples each time. So when a plan
  changes here, there is a reason for it.
- **Row security costs nothing for each row.** It is decided once, in the `One-Time Filter`: is the signed-in
  user (an `InitPlan`, or the setting itself in the policies since 0009) the one that the statement names? If
  so, the index finds that user's rows and no others.
- `tests/plans/test_plans.py` checks the shape (index, no sort, blocks, HOT) on a tenth of these rows, for
  custom and generic plans.

| table or index | pages of 8 kB |
|---|--:|
{sizes}
"""


def _summary(found: Iterable[Measured]) -> str:
    lines = [
        "## Summary",
        "",
        "| statement | indexes | rows | blocks | ms |",
        "|---|---|--:|--:|--:|",
    ]
    for one in found:
        anchor = re.sub(r"[^\w -]", "", one.case.title).replace(" ", "-")
        lines.append(
            f"| [{one.case.title}](#{anchor}) | {', '.join(_scanned(one)) or 'none'}"
            f" | {grouped(one.rows)} | {grouped(one.blocks)} | {_ms(one.ms)} |"
        )
    return "\n".join([*lines, "", "## The plans", ""])


def _scanned(one: Measured) -> list[str]:
    """The indexes that were searched, and the tables that were read as a whole."""
    return [
        name if one.relations[name].is_index else f"({name}, all of it)"
        for name, touched in sorted(one.touched.items())
        if touched.scans
    ]


def _plan(one: Measured) -> str:
    touched = ", ".join(
        f"{name} {grouped(touched.blocks)}"
        for name, touched in sorted(
            one.touched.items(), key=lambda item: (-item[1].blocks, item[0])
        )
        if touched.blocks
    )
    # Times are in the summary; planning is of no interest in what is prepared.
    text = re.sub(r"\nPlanning:(\n +.*)*|\n(Planning|Execution) Time: .*", "", one.text)
    return f"### {one.case.title}\n\nBlocks: {touched or 'none'}\n\n```\n{text}\n```\n"


def _growth(version: str, steps: list[Step]) -> str:
    head = " | ".join(f"{grouped(step.tasks)} tasks" for step in steps)
    rows = [f"| statement | {head} |", "|---|" + "--:|" * len(steps)]
    rows += [
        f"| {name} | {' | '.join(grouped(step.blocks[name]) for step in steps)} |"
        for name in steps[0].blocks
    ]
    rows += [
        f"| *all of the table `tasks`* | {' | '.join(grouped(step.table_blocks) for step in steps)} |",
        f"| *levels of `tasks_pkey`* | {' | '.join(str(step.levels) for step in steps)} |",
    ]
    table = "\n".join(rows)
    return f"""{_GROWTH}
Blocks that the statements of one user with 100 tasks touch, while the tasks of all users grow from thousands
to millions ({TASKS_PER_USER} for each user on average; sessions and events grow in proportion). Made on
{_today()} by PostgreSQL {version}. It is made only when asked for, since it takes ten minutes and 10 GB:

```sh
.venv/bin/python tests/tools/renew_plans.py --growth
```

![Blocks by number of tasks, on two logarithmic axes: flat lines for the statements, a steep one for the
table](plans.svg)

{table}

Only the height of the B-trees grows. With about a hundred times as many rows, each search or insert in an
index touches one page more, and `tasks/create` makes five of them. In the smallest database `tasks/list`
touches fewer blocks, because some of the 100 tasks share a page.
"""


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _ms(value: float) -> str:
    """One digit: more would only be noise."""
    return "under 0.1" if value < 0.1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def grouped(number: int) -> str:
    """Thousands apart, by a space that does not break."""
    return f"{number:,}".replace(",", "\u00a0")
