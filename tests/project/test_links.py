"""The guides: every link leads somewhere, and README.md stays short and complete."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from project.markdown_pages import ROOT, anchors_of, links_of, pages
from todo_api.settings.config import Config, default_text, variable

README = (ROOT / "README.md").read_text(encoding="utf-8")
# The guides that a reader starts from: each has to be in README.md.
GUIDES = (
    "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "todo_api/deploy/README.md", "sql/README.md",
)  # fmt: skip
LINKS = [(page, link) for page in pages() for link in links_of(page.read_text(encoding="utf-8"))]


@cache
def anchors(page: Path) -> set[str]:
    return anchors_of(page.read_text(encoding="utf-8"))


def test_the_pages_are_found() -> None:
    found = {str(page.relative_to(ROOT)) for page in pages()}
    assert {
        "README.md",
        "tests/ASVS.md",
        "tests/RESILIENCE.md",
        "migrations/README.md",
        *GUIDES,
    } <= found
    assert len(LINKS) > 80


@pytest.mark.parametrize(
    ("page", "link"),
    [
        pytest.param(page, link, id=f"{page.relative_to(ROOT)} -> {link}")
        for page, link in dict.fromkeys(LINKS)
        if not re.match(r"(https?|mailto):", link)
    ],
)
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    assert target.is_relative_to(ROOT)
    assert target.exists()
    assert not anchor or anchor in anchors(target)


def test_headings_are_found_as_github_does() -> None:
    text = "# A b_c `D`\n```sh\n# not one\n```\n## A b_c d!\n### [E](x.md)\n#### F ####\n"
    assert anchors_of(text) == {"a-b_c-d", "a-b_c-d-1", "e", "f"}


def test_links_in_code_are_none() -> None:
    text = '[a](b.md) ![c](d.svg "e") `[f](g)`\n```\n[h](i)\n```\n[k](#l)\n\n[m]: n.md\n'
    assert links_of(text) == ["b.md", "d.svg", "#l", "n.md"]


def test_the_readme_is_short_and_leads_to_the_other_guides() -> None:
    assert len(README.splitlines()) <= 200
    assert set(GUIDES) <= set(links_of(README))


@pytest.mark.parametrize("mark", ["serve", "test"])
def test_the_readme_has_each_command_of_ci_on_one_line(mark: str) -> None:
    [command] = re.findall(rf"^<!-- ci: {mark} -->\n```sh\n(.+)\n```$", README, re.MULTILINE)
    assert command.startswith("python3 -m venv .venv && ")


def test_the_readmes_table_names_exactly_the_settings() -> None:
    [section] = re.findall(r"^## Configuration\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`[A-Z].*?) \|", section, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(variable(setting.name) for setting in fields(Config))


def test_the_readmes_table_has_the_defaults() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", README, re.MULTILINE)
    shown = {name: default for names, default in rows for name in re.findall(r"`([A-Z_]+)`", names)}
    # lists that are told in words: those of tracers
    told = {"CORS_HEADERS"}
    for setting in fields(Config):
        name, default = variable(setting.name), default_text(setting.name)
        if name not in told:
            told_here = [part.strip(" `") for part in re.split(r"[,;]", shown[name])]
            assert not default or default in told_here, name


# --- what CONTRIBUTING.md says of the folders ---

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYOUT = re.findall(
    r"^\| \[[\w/]+\]\((todo_api[\w/]*)\) \| .+? \| (.+) \|$", CONTRIBUTING, re.MULTILINE
)


def test_every_folder_of_the_service_is_in_the_layout() -> None:
    service = ROOT / "todo_api"
    inner = [path for path in service.iterdir() if path.is_dir() and path.name != "__pycache__"]
    folders = {str(path.relative_to(ROOT)) for path in (service, *inner)}
    assert sorted(folder for folder, _ in LAYOUT) == sorted(folders)


@pytest.mark.parametrize(("folder", "about"), LAYOUT)
def test_a_file_of_the_layout_is_there(folder: str, about: str) -> None:
    named = re.findall(r"`([\w./-]+)`", about)
    assert named
    for name in named:
        assert (ROOT / folder / name).exists() or (ROOT / folder / f"{name}.py").exists(), name


def test_every_program_that_writes_a_file_is_there() -> None:
    named = re.findall(r"^\| `(\w+\.py)` \|", CONTRIBUTING, re.MULTILINE)
    assert len(named) > 4
    for name in named:
        assert (ROOT / "tests" / "tools" / name).exists(), name
