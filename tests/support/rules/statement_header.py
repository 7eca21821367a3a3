"""The header of a file of sql/: comment lines with sections, each of which says one thing."""

import re

SECTION = re.compile(r"-- (Why here|Parameters|Returns|Index|Locks): +(.*)")
COLUMN = 15  # where the text of a section starts


def header(source: str) -> list[str]:
    """The comment lines."""
    return [line for line in source.splitlines() if line.startswith("--")]


def sections(source: str) -> dict[str, list[str]]:
    """The sections by name, each as its lines without what stands left of them; raises ValueError."""
    found: dict[str, list[str]] = {}
    current = None
    for line in header(source):
        if match := SECTION.fullmatch(line):
            current = match[1]
            if current in found:
                raise ValueError(f"the header has {current} twice")
            found[current] = [line[COLUMN:]]
        elif current:
            if line[:COLUMN] != "--".ljust(COLUMN):
                raise ValueError(f"the header's text starts in column {COLUMN + 1}: {line}")
            found[current].append(line[COLUMN:])
    return found


def first_words(lines: list[str]) -> list[str]:
    """What a section lists, one a line; a line that goes on is indented further."""
    return [line.split()[0] for line in lines if not line.startswith(" ")]


def parameters(source: str) -> list[str]:
    """The parameters that the header documents, the user apart."""
    lines = sections(source).get("Parameters", [])
    return [] if lines in (["none"], ["none beyond the user"]) else first_words(lines)
