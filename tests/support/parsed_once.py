"""Splits the text of a migration into statements once a process, for the hundreds of tests that migrate."""

from functools import lru_cache
from typing import Any

import sqlparse

_split = lru_cache(maxsize=256)(sqlparse.split)


def parse_once() -> None:
    """Let yoyo get the statements of a text that was split before from memory: they depend on the text alone.

    To split all migrations takes as much CPU as the rest of what a process does to apply them.
    """

    def split(text: str, *rest: Any, **options: Any) -> list[str]:
        return list(_split(text, *rest, **options))  # yoyo changes the list

    sqlparse.split = split
