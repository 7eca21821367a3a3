"""A picture of the growth: two logarithmic axes, a line for each statement."""

import math

from support.svg import grouped, line, opening, text, upright

from .growth import Step

_WIDTH, _HEIGHT = 790, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 100, 560, 56, 370
# Distinguishable with any kind of colour vision (Okabe and Ito), and in black and white by their ends
_LINES = {
    "tasks/list": ("tasks/list (100 tasks)", "#0072b2"),
    "tasks/create": ("tasks/create", "#d55e00"),
    "tasks/delete": ("tasks/delete", "#009e73"),
    "tasks/complete": ("tasks/complete", "#cc79a7"),
    "tasks/get": ("tasks/get", "#e69f00"),
}


def picture(steps: list[Step]) -> str:
    """An SVG without a font, a script or a style of others."""
    decades = math.ceil(math.log10(max(step.table_blocks for step in steps)))
    first, last = math.log10(steps[0].tasks), math.log10(steps[-1].tasks)

    def x(tasks: float) -> float:
        return _LEFT + (math.log10(tasks) - first) / (last - first) * (_RIGHT - _LEFT)

    def y(blocks: float) -> float:
        return _BOTTOM - math.log10(blocks) / decades * (_BOTTOM - _TOP)

    parts = [
        opening(
            _WIDTH,
            _HEIGHT,
            "Blocks touched by one user's work, by the number of all users' tasks",
        ),
        text(_LEFT, 24, "Blocks touched by one user's work", 'font-size="16" font-weight="bold"'),
        text(_LEFT, 43, "The user holds 100 tasks, scattered among everybody's", 'fill="#555"'),
        text((_LEFT + _RIGHT) / 2, _HEIGHT - 14, "tasks of all users", 'text-anchor="middle"'),
        upright(20, (_TOP + _BOTTOM) / 2, "blocks of 8 kB"),
    ]
    for decade in range(decades + 1):
        height = y(10**decade)
        parts.append(line([(_LEFT, height), (_RIGHT, height)], "#ddd", 1))
        parts.append(text(_LEFT - 8, height + 4, grouped(10**decade), 'text-anchor="end"'))
    for step in steps:
        parts.append(line([(x(step.tasks), _TOP), (x(step.tasks), _BOTTOM)], "#ddd", 1))
        parts.append(text(x(step.tasks), _BOTTOM + 20, grouped(step.tasks), 'text-anchor="middle"'))
    whole = [(x(step.tasks), y(step.table_blocks)) for step in steps]
    parts.append(line(whole, "#888", 2, 'stroke-dasharray="6 4"'))
    labels = [(whole[-1][1], "the whole table, for comparison", "#555")]
    for name, (label, colour) in _LINES.items():
        points = [(x(step.tasks), y(step.blocks[name])) for step in steps]
        parts.append(line(points, colour, 2.5))
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/>' for px, py in points
        ]
        labels.append((points[-1][1], f"{label}: {steps[-1].blocks[name]}", colour))
    lowest = -math.inf
    for height, label, colour in sorted(labels):
        lowest = max(height, lowest + 17)  # one label below the other, where their lines meet
        parts.append(text(_RIGHT + 12, lowest + 4, label, f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>", ""])
