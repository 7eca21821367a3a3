"""The picture of growth: CPU by the size of the table, requests/s by the number of connections."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from support.svg import COLOURS, dot, grouped, line, opening, text, upright

from .marks import EMPTY, GROWING, HEAVY, name
from .readings import Run, middle

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 900, 360, 60, 290
_STEPS = (1, 2, 5)


class Panel(NamedTuple):
    """One of two diagrams side by side: a line for each name, a value for each label or none."""

    left: float
    right: float
    title: str
    unit: str
    axis: str
    labels: Sequence[str]
    lines: dict[str, list[float | None]]


def lines(run: Run) -> str:
    """An SVG."""
    return "\n".join(
        [
            opening(_WIDTH, _HEIGHT, "Cost by the size of the table and by connections"),
            *_draw(_by_table(run)),
            *_draw(_by_connections(run)),
            "</svg>",
            "",
        ]
    )


def _by_table(run: Run) -> Panel:
    sizes = [one for one in _in_order(run, "growth") if one not in (EMPTY, HEAVY)]
    targets = [EMPTY, *sizes]
    return Panel(
        70, 330, "A user with 20 tasks among others'", "CPU, ms a request", "tasks of others",
        ["none", *(one.removesuffix(" of others").replace(" ", "\u00a0") for one in sizes)],
        {name(one): [middle(run.of("growth", target, one), "cpu") for target in targets]
         for one in GROWING},
    )  # fmt: skip


def _by_connections(run: Run) -> Panel:
    counts = sorted({one.concurrency for one in run.readings if one.part == "connections"})
    return Panel(
        520, 770, "get", "requests/s", "connections", [str(count) for count in counts],
        {target: [middle(run.of("connections", target, "get", count), "per_second")
                  for count in counts]
         for target in run.targets("connections")},
    )  # fmt: skip


def _in_order(run: Run, part: str) -> list[str]:
    return list(dict.fromkeys(one.target for one in run.readings if one.part == part))


def _draw(panel: Panel) -> list[str]:
    values = [value for found in panel.lines.values() for value in found if value is not None]
    top = round_up(max(values, default=1.0))
    width = panel.right - panel.left

    def x(number: int) -> float:
        return panel.left + width * number / max(len(panel.labels) - 1, 1)

    def y(value: float) -> float:
        return _BOTTOM - value / top * (_BOTTOM - _TOP)

    middle_x = (panel.left + panel.right) / 2
    parts = [
        text(panel.left, 30, panel.title, 'font-size="14" font-weight="bold"'),
        text(middle_x, _HEIGHT - 22, panel.axis, 'text-anchor="middle"'),
        upright(panel.left - 50, (_TOP + _BOTTOM) / 2, panel.unit),
    ]
    for quarter in range(5):
        value = top * quarter / 4
        parts.append(line([(panel.left, y(value)), (panel.right, y(value))], "#ddd", 1))
        parts.append(text(panel.left - 6, y(value) + 4, _figure(value), 'text-anchor="end"'))
    for number, label in enumerate(panel.labels):
        parts.append(text(x(number), _BOTTOM + 20, label, 'text-anchor="middle"'))
    ends = []
    for (title, found), colour in zip(panel.lines.items(), COLOURS, strict=False):
        points = [(x(n), y(value)) for n, value in enumerate(found) if value is not None]
        if points:
            parts += [line(points, colour, 2.5), *(dot(px, py, colour) for px, py in points)]
            ends.append((points[-1][1], title, colour))
    lowest = -math.inf
    for height, title, colour in sorted(ends):
        lowest = max(height, lowest + 17)  # one label below the other, where their lines meet
        parts.append(text(panel.right + 10, lowest + 4, title, f'fill="{colour}"'))
    return parts


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, …"""
    decade: float = 10.0 ** math.floor(math.log10(value))
    return next((step * decade for step in _STEPS if value <= step * decade), 10 * decade)


def _figure(value: float) -> str:
    return grouped(round(value)) if value >= 10 else f"{value:.3g}"
