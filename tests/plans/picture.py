"""A picture of the growth: two logarithmic axes, a line for each statement."""

import math
from html import escape

from .growth import Step

_WIDTH, _HEIGHT = 790, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 100, 560, 56, 370
_UPRIGHT = f"translate(20 {(_TOP + _BOTTOM) / 2}) rotate(-90)"
_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
    f' height="{_HEIGHT}" font-family="sans-serif" font-size="13" role="img">'
)
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
        _OPENING,
        "<title>Blocks touched by one user's work, by the number of all users' tasks</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 24, "Blocks touched by one user's work", 'font-size="16" font-weight="bold"'),
        _text(_LEFT, 43, "The user holds 100 tasks, scattered among everybody's", 'fill="#555"'),
        _text((_LEFT + _RIGHT) / 2, _HEIGHT - 14, "tasks of all users", 'text-anchor="middle"'),
        _text(0, 0, "blocks of 8 kB", f'text-anchor="middle" transform="{_UPRIGHT}"'),
    ]
    for decade in range(decades + 1):
        height = y(10**decade)
        parts.append(_line([(_LEFT, height), (_RIGHT, height)], "#ddd", 1))
        parts.append(_text(_LEFT - 8, height + 4, _grouped(10**decade), 'text-anchor="end"'))
    for step in steps:
        parts.append(_line([(x(step.tasks), _TOP), (x(step.tasks), _BOTTOM)], "#ddd", 1))
        parts.append(
            _text(x(step.tasks), _BOTTOM + 20, _grouped(step.tasks), 'text-anchor="middle"')
        )
    whole = [(x(step.tasks), y(step.table_blocks)) for step in steps]
    parts.append(_line(whole, "#888", 2, 'stroke-dasharray="6 4"'))
    labels = [(whole[-1][1], "the whole table, for comparison", "#555")]
    for name, (label, colour) in _LINES.items():
        points = [(x(step.tasks), y(step.blocks[name])) for step in steps]
        parts.append(_line(points, colour, 2.5))
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/>' for px, py in points
        ]
        labels.append((points[-1][1], f"{label}: {steps[-1].blocks[name]}", colour))
    lowest = -math.inf
    for height, label, colour in sorted(labels):
        lowest = max(height, lowest + 17)  # one label below the other, where their lines meet
        parts.append(_text(_RIGHT + 12, lowest + 4, label, f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>", ""])


def _line(points: list[tuple[float, float]], colour: str, width: float, more: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" {more}/>'
    )


def _text(x: float, y: float, text: str, more: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u00a0")
