"""Renew tests/RESILIENCE.md: run what keeps figures for it, and write them.

python tests/tools/renew_resilience.py            everything (about an hour; nginx-light, openssl, prometheus)
python tests/tools/renew_resilience.py FILE …     these files only; the rows of the others stay

When tests fail, their rows stay, and the exit status is 1: run their files again.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import on_path  # noqa: F401

from bench import commit

FOLDER = Path(__file__).parents[1]
PAGE = FOLDER / "RESILIENCE.md"
LAST = commit.ROOT / "build" / "resilience.json"  # each row, and the commit that it was made at
FILES = (
    "resilience",
    "auth/test_secret_rotation.py",
    "auth/test_tokens.py",
    "auth/test_wycheproof.py",
    "docs/test_schemathesis.py",
    "upkeep/test_end_sessions.py",
)
CONTRACT = "pytest -m contract"
CONTRACT_ONLY = "contract and not programs"
MADE = "Made on "
HEAD = "| item | what | figure | command |\n|---|---|---|---|\n"
_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| `(.+?)` \|")
_TIMES = {
    "RACE_ROUNDS": "20",
    "SCHEMATHESIS_EXAMPLES": "300",
    "LOAD_SECONDS": "60",
    "FAULT_ROUNDS": "20",
}

Row = dict[str, Any]


def run(marks: str, files: list[str], *options: str) -> tuple[list[Row], bool]:
    """Run tests; the rows that they kept, and whether all passed."""
    settings = {name: os.environ.get(name, usual) for name, usual in _TIMES.items()}
    if marks == CONTRACT_ONLY:  # all of these tests are what counts, and not their rounds
        settings = {}
    made_at = commit.described() + (
        "" if commit.is_clean("tests/RESILIENCE.md") else " with changes"
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", *options, "-m", marks, *files]
        env = os.environ | settings | {"RESILIENCE_FIGURES": folder}
        passed = not subprocess.run(command, cwd=FOLDER.parent, env=env, check=False).returncode
        rows = [json.loads(file.read_text()) for file in Path(folder).iterdir()]
    return [row | {"commit": made_at} for row in rows], passed


def together(rows: list[Row]) -> list[Row]:
    """The contract's rows, one of each process, as one: how many texts were looked through, and leaks.

    Rows that single tests of the contract keep are left out: they are among the others already.
    """
    rows = [row for row in rows if row["command"] == CONTRACT]
    texts = sum(int(row["figure"].removesuffix(": 0")) for row in rows)
    return [rows[0] | {"figure": f"{texts}: 0"}] if rows else []


def kept(page: str) -> list[Row]:
    """The page's rows, with the commit of each that this folder knows of."""
    known: list[Row] = json.loads(LAST.read_text()) if LAST.exists() else []
    rows = [
        {"item": int(item), "what": what, "figure": figure, "command": command}
        for item, what, figure, command in _ROW.findall(page)
    ]
    return [
        next((one for one in known if one.items() >= row.items()), row | {"commit": "an older one"})
        for row in rows
    ]


def renewed(page: str, rows: list[Row]) -> str:
    """The page with these rows."""
    counts = {row["commit"]: 0 for row in rows}
    for row in rows:
        counts[row["commit"]] += 1
    [*commits] = counts
    at = (
        commits[0]
        if len(commits) == 1
        else ", ".join(f"{at} ({n} rows)" for at, n in counts.items())
    )
    made = f"{MADE}{datetime.now(UTC).date().isoformat()} at commit {at}:\n\n"
    table = "".join(
        f"| {row['item']} | {row['what']} | {row['figure']} | `{row['command']}` |\n"
        for row in sorted(rows, key=lambda row: (row["item"], row["what"], row["command"]))
    )
    before, _, after = page.partition(HEAD)
    before = before.rpartition(MADE)[0] or before
    rest = after[after.find("\n\n") + 1 :] if "\n\n" in after else ""
    return f"{before}{made}{HEAD}{table}{rest}"


def main(files: list[str]) -> None:
    named = files or [str(FOLDER / name) for name in FILES]
    # one process: what is timed is not to wait for another test
    rows, passed = run("programs or not programs", named, "-n", "0")
    rows = [row for row in rows if row["command"] != CONTRACT]  # those of a few of its tests
    if not files:
        more, also = run(CONTRACT_ONLY, [str(FOLDER)])
        rows, passed = rows + together(more), passed and also
    page = PAGE.read_text(encoding="utf-8")
    if files or not passed:
        # A row of a file that passed and is not there any more has had its day.
        by = ("command",) if passed else ("command", "what")
        new = {tuple(row[name] for name in by) for row in rows}
        rows += [row for row in kept(page) if tuple(row[name] for name in by) not in new]
    LAST.parent.mkdir(exist_ok=True)
    LAST.write_text(json.dumps(rows))
    PAGE.write_text(renewed(page, rows), encoding="utf-8")
    if not passed:
        sys.exit("tests failed: their rows are as they were")


if __name__ == "__main__":
    main(sys.argv[1:])
