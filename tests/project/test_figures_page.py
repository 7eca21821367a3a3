"""The program that renews RESILIENCE.md."""

import importlib
from pathlib import Path

import pytest

import support

TOOLS = Path(support.__file__).parents[1] / "tools"


def test_the_contracts_row_counts_the_texts_of_each_process_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(TOOLS)
    renew = importlib.import_module("renew_resilience")
    row = {"item": 11, "what": "texts looked through: leaks", "command": renew.CONTRACT}
    kept = [
        row | {"figure": "40: 0"},
        {
            "item": 2,
            "what": "a row of one test",
            "figure": "0 and 0",
            "command": "pytest tests/web",
        },
        row | {"figure": "2: 0"},
    ]
    assert renew.together(kept) == [row | {"figure": "42: 0"}]
