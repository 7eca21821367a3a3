"""ASVS.md: every requirement of ASVS level 1 has its row, and every test that a row names exists."""

import ast
import csv
import re
from functools import cache
from pathlib import Path

import pytest

from project.markdown_pages import anchors_of

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
ASVS = TESTS / "ASVS.md"
PAGE = ASVS.read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (\d) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
with (TESTS / "data" / "asvs" / "levels.csv").open(encoding="utf-8", newline="") as _file:
    LEVELS = {row["number"]: row["level"] for row in csv.DictReader(_file)}


def part(title: str) -> str:
    """The text under a heading, up to the next one as high or higher."""
    [found] = re.findall(rf"^### {title}\n(.*?)(?=^##? |^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def rows(text: str) -> dict[str, list[str]]:
    """A part's requirements, and the cells behind number and level."""
    found = ROW.findall(text)
    assert len({number for number, *_ in found}) == len(found), "a requirement stands there twice"
    return {number: cells.split(" | ") for number, _, cells in found}


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_requirement_of_level_1_is_there_once() -> None:
    wanted = {number for number, level in LEVELS.items() if level == "1"}
    assert len(wanted) == 70
    assert wanted <= rows(PAGE).keys()


def test_numbers_and_levels_are_those_of_the_standard() -> None:
    assert {number: level for number, level, _ in ROW.findall(PAGE)}.items() <= LEVELS.items()


def test_every_row_is_in_one_of_the_three_parts() -> None:
    parts = [rows(part(title)) for title in ("Met", "Missed", "Does not apply")]
    assert sum(map(len, parts)) == len(rows(PAGE))
    assert all(parts)


@pytest.mark.parametrize(("number", "cells"), rows(part("Met")).items())
def test_what_is_met_names_tests(number: str, cells: list[str]) -> None:
    asked, how, shown = cells
    assert asked
    assert how
    assert re.sub(NAMED, "", shown).strip(", ") == ""
    assert all(name.startswith("test_") for _, name in NAMED.findall(shown))
    chapter = number.partition(".")[0]
    [heading] = re.findall(rf"^#### V{chapter} ", PAGE, re.MULTILINE)
    below = PAGE[PAGE.index(heading) :].split("\n#### ")[0]
    assert f"\n| {number} | " in below


@pytest.mark.parametrize("title", ["Missed", "Does not apply"])
def test_what_is_not_says_why(title: str) -> None:
    assert {len(cells) for cells in rows(part(title)).values()} == {3 if title == "Missed" else 2}


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED.findall(PAGE))))
def test_a_named_test_exists(file: str, name: str) -> None:
    assert (TESTS / file).is_file()
    assert not name or name in functions_of(file)


@pytest.mark.parametrize("page", [ASVS, ROOT / "SECURITY.md"], ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for address in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if not address.startswith("https://"):
            file, _, anchor = address.partition("#")
            target = (page.parent / file) if file else page
            assert target.exists()
            assert not anchor or anchor in anchors_of(target.read_text(encoding="utf-8"))
