"""The picture of a comparison: requests/s and CPU of every server in every scenario."""

from support.svg import COLOURS, bar, opening, text

from .marks import name
from .peers import SCENARIOS
from .readings import Run, middle

_ROW, _GAP, _TOP = 15, 14, 78
_PANELS = {"per_second": (110, "requests/s"), "app_cpu": (470, "CPU of the server, ms a request")}
_LONGEST = 270  # a bar; its figure stands behind it
_WIDTH = 830


def bars(run: Run) -> str:
    """An SVG; in each scenario the longest bar is the largest figure."""
    targets = run.targets("peers")
    block = _ROW * len(targets) + _GAP
    height = _TOP + block * len(SCENARIOS) + 8
    parts = [
        opening(_WIDTH, height, "Requests per second and CPU a request, by scenario"),
        *_legend(targets),
    ]
    for x, title in _PANELS.values():
        parts.append(text(x, 66, title, 'font-size="14" font-weight="bold"'))
    for number, scenario in enumerate(SCENARIOS):
        top = _TOP + number * block
        middle_of_block = top + _ROW * len(targets) / 2 + 4
        parts.append(text(100, middle_of_block, name(scenario), 'text-anchor="end"'))
        for what, (x, _) in _PANELS.items():
            found = {one: middle(run.of("peers", one, scenario), what) for one in targets}
            largest = max((value for value in found.values() if value), default=1.0)
            for row, (one, value) in enumerate(found.items()):
                if value:
                    y, length = top + row * _ROW, value / largest * _LONGEST
                    parts.append(bar(x, y, length, _ROW - 2, _colour(targets, one)))
                    parts.append(text(x + length + 5, y + 11, short(value), 'font-size="11"'))
    return "\n".join([*parts, "</svg>", ""])


def short(value: float) -> str:
    """Three digits, and no more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _legend(targets: list[str]) -> list[str]:
    parts = []
    for number, target in enumerate(targets):
        x, y = 110 + number % 4 * 175, 14 + number // 4 * 18
        parts.append(bar(x, y, 11, 11, _colour(targets, target)))
        parts.append(text(x + 17, y + 10, target))
    return parts


def _colour(targets: list[str], target: str) -> str:
    return (*COLOURS, "#000", "#888")[targets.index(target) % 8]
