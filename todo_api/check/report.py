"""What the checks have found, for people and for programs."""

import json
from collections.abc import Iterable

from todo_api.upkeep.findings import Finding, Level

_LEVELS: tuple[Level, ...] = ("ok", "warning", "error")


def status(found: Iterable[Finding]) -> int:
    """The exit status: 0 when all is well, 1 with a warning, 2 with an error."""
    return max((_LEVELS.index(one.level) for one in found), default=0)


def as_text(found: list[Finding], place: str) -> str:
    """A line for each finding, and which database it was."""
    wide = max(len(one.name) for one in found)
    lines = [f"{one.level:<7}  {one.name:<{wide}}  {_one_line(one.line)}" for one in found]
    return "\n".join([*lines, f"database: {place}"])


def as_json(found: list[Finding], place: str) -> str:
    """One object."""
    return json.dumps(
        {
            "status": _LEVELS[status(found)],
            "database": place,
            "findings": [
                {"name": one.name, "level": one.level, "message": _one_line(one.message)}
                | ({"hint": _one_line(one.hint)} if one.hint else {})
                for one in found
            ],
        },
        ensure_ascii=False,
        indent=2,
    )


def _one_line(text: str) -> str:
    """Without line breaks and other characters that would affect a terminal."""
    words = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)
