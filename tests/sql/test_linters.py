"""sqlfluff and squawk as .ci/run uses them: what they let pass, and that they can refuse."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SQUAWK = Path(sys.executable).with_name("squawk")
pytestmark = [pytest.mark.partitioned, pytest.mark.programs]


def sqlfluff(text: str, *options: str) -> set[str]:
    """The rules that a statement breaks."""
    run = subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", "--format", "github-annotation-native", *options, "-"],
        input=text, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    rules = set(re.findall(r"^::\w+ title=SQLFluff,.*::(\w+):", run.stdout, re.MULTILINE))
    assert bool(rules) == bool(run.returncode), run.stdout
    return rules


STATEMENT = """\
SELECT
    id,
    title
FROM tasks
WHERE user_id = %s
    AND id = %(task_id)s::uuid
"""


def test_both_kinds_of_placeholder_are_understood() -> None:
    assert sqlfluff(STATEMENT) == set()
    assert "PRS" in sqlfluff(STATEMENT, "--templater", "raw")  # without the settings


def test_a_badly_styled_statement_is_refused() -> None:
    bad = STATEMENT.replace("SELECT", "select").replace(" = ", "=").replace("    title", "  title")
    assert {"CP01", "LT01", "LT02"} <= sqlfluff(bad)


def squawk(*paths: Path) -> list[str]:
    """What squawk has to say: one line each, with its rule."""
    run = subprocess.run(
        [SQUAWK, "--config", "migrations/squawk.toml", "--reporter", "gcc", *paths],
        stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert bool(lines) == bool(run.returncode), run.stdout
    return lines


def test_every_migration_is_safe_on_a_live_table() -> None:
    assert squawk(*(CHECKOUT / "migrations").glob("*.sql")) == []


def test_the_examples_of_the_readme_are_safe_and_styled(tmp_path: Path) -> None:
    readme = (CHECKOUT / "migrations" / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^`(\S+)`\n\n```sql\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert len(examples) == 3
    for name, text in examples:
        (tmp_path / name).write_text(text)
        assert sqlfluff(text) == set()
    assert squawk(*tmp_path.iterdir()) == []


BOUNDS = "SET LOCAL lock_timeout = '1500ms';\nSET LOCAL statement_timeout = '5s';\n"


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE tasks ADD COLUMN n uuid DEFAULT gen_random_uuid();", "adding-field-with-default"),
        ("ALTER TABLE tasks ADD COLUMN note text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE tasks ALTER COLUMN completed_at SET NOT NULL;", "adding-not-nullable-field"),
        ("ALTER TABLE tasks ADD CONSTRAINT c CHECK (title <> '');", "constraint-missing-not-valid"),
        ("ALTER TABLE tasks ADD CONSTRAINT u UNIQUE (title);", "disallowed-unique-constraint"),
        ("ALTER TABLE tasks ALTER COLUMN title TYPE varchar(100);", "changing-column-type"),
        ("ALTER TABLE tasks RENAME COLUMN title TO name;", "renaming-column"),
        ("ALTER TABLE tasks RENAME TO jobs;", "renaming-table"),
        ("ALTER TABLE tasks DROP COLUMN title;", "ban-drop-column"),
        ("DROP TABLE tasks;", "ban-drop-table"),
        ("CREATE INDEX tasks_title ON tasks (title);", "require-concurrent-index-creation"),
        ("DROP INDEX tasks_newest_first;", "require-concurrent-index-deletion"),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_title ON tasks (title);",
            "ban-concurrent-index-creation-in-transaction",
        ),
    ],
)  # fmt: skip
def test_an_unsafe_migration_is_refused(tmp_path: Path, statement: str, rule: str) -> None:
    file = tmp_path / "0900.unsafe.sql"
    file.write_text(BOUNDS + statement + "\n")
    assert any(f" {rule} " in line for line in squawk(file))


def test_a_migration_without_bounds_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "0900.unbounded.sql"
    file.write_text("ALTER TABLE tasks ADD COLUMN note text;\n")
    rules = " ".join(squawk(file))
    assert " require-lock-timeout " in rules
    assert " require-statement-timeout " in rules
