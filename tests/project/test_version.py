"""The version stands in pyproject.toml, and every other place says the same."""

import re
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from support.openapi_document import current_document
from todo_api import cli
from todo_api.observability.series import Series

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
SECTIONS = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)


def test_the_installed_package_has_it() -> None:
    assert version("todo-api") == VERSION, "pip install --no-deps -e . renews it"


def test_the_command_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"todo-api {VERSION}\n"


def test_the_openapi_document_has_it() -> None:
    assert current_document()["info"]["version"] == VERSION


def test_the_metrics_have_it() -> None:
    [build] = [
        labels
        for metric in Series().build.collect()
        for labels in (sample.labels for sample in metric.samples)
    ]
    assert build["version"] == VERSION


def test_the_image_has_it() -> None:
    label = re.search(r'image\.version="(.*?)"', (ROOT / "Dockerfile").read_text("utf-8"))
    assert label is not None
    assert label[1] == VERSION


def test_it_is_the_newest_of_the_changelog_with_the_day_of_its_release() -> None:
    assert SECTIONS[0] == "[Unreleased]"
    released = [
        re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", one) for one in SECTIONS[1:]
    ]
    assert None not in released
    versions = [one[1] for one in released if one]
    assert versions[0] == VERSION
    assert versions == sorted(versions, key=lambda one: [*map(int, one.split("."))], reverse=True)
    days = [date.fromisoformat(one[2]) for one in released if one]
    assert days == sorted(days, reverse=True)
