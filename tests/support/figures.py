"""Rows of RESILIENCE.md, which tests keep when renew_resilience.py asks for them."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

Keep = Callable[[int, str, str], None]


def command_of(node: pytest.Item | pytest.Collector) -> str:
    """What runs a test, or the tests of a file."""
    marks = [name for name in ("slow", "programs") if node.get_closest_marker(name)]
    file = node.nodeid.partition("::")[0]
    return " ".join(["pytest", *(f"-m {name}" for name in marks[-1:]), file])


def keeper(command: str) -> Keep:
    """Keeps rows (item, what, figure) when renew_resilience.py asks for them."""
    folder = os.environ.get("RESILIENCE_FIGURES")

    def keep(item: int, what: str, figure: str) -> None:
        if folder:
            row = {"item": item, "what": what, "figure": figure, "command": command}
            (Path(folder) / f"{uuid.uuid4().hex}.json").write_text(json.dumps(row))

    return keep
