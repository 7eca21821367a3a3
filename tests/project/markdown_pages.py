"""The Markdown pages of the repository: their headings and their links, as GitHub makes them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]: +(\S+)", re.MULTILINE)


def pages() -> list[Path]:
    """All of ours: none in hidden folders, in virtual environments, or in npm's packages."""
    folders = ("todo_api", "sql", "migrations", "tests")
    nested = (page for folder in folders for page in (ROOT / folder).rglob("*.md"))
    ours = (page for page in nested if "node_modules" not in page.parts)
    return sorted([*ROOT.glob("*.md"), *ours])


def links_of(text: str) -> list[str]:
    """Where a page leads: links and pictures, but none that stands in code."""
    prose = _CODE.sub(lambda code: "`" * len(code[0]), _FENCED.sub("", text))
    return [*_LINK.findall(prose), *_REFERENCE.findall(prose)]


def anchors_of(text: str) -> set[str]:
    """What can follow # in a link to a page: its headings, numbered where they come again."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)?$", _FENCED.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = base = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{base}-{number}"
        found.add(anchor)
    return found
