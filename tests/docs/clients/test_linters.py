"""Linters and validators of OpenAPI documents find nothing in ours."""

from pathlib import Path

import pytest

from .programs import HERE, node_program, run

pytestmark = pytest.mark.programs


def test_spectral_recommends_nothing(document: Path) -> None:
    rules = document.with_name("spectral.yaml")
    rules.write_text('extends: ["spectral:oas"]\n')
    found = run(
        *(
            node_program("spectral"),
            "lint",
            "--fail-severity",
            "hint",
            "--ruleset",
            rules,
            document,
        ),
        cwd=document.parent,
    )
    assert "No results" in found


def test_redocly_recommends_nothing(document: Path) -> None:
    document.with_name("redocly.yaml").write_text("extends: [recommended]\n")
    found = run(
        *(node_program("redocly"), "lint", "--format", "json", document.name),
        cwd=document.parent,
        REDOCLY_TELEMETRY="off",
        REDOCLY_SUPPRESS_UPDATE_NOTICE="true",
    )
    assert '"errors": 0' in found
    assert '"warnings": 0' in found


def test_ajv_compiles_every_schema_with_and_without_unicode(document: Path) -> None:
    assert run("node", HERE / "ajv.js", document, cwd=HERE) == "all done\n"
