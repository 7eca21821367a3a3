"""Renew tests/RESILIENCE.md: run what keeps figures for it, and write them.

python tests/tools/renew_resilience.py            everything (about an hour; nginx-light, openssl, prometheus)
python tests/tools/renew_resilience.py FILE …     these files only; the rows of the others stay
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1]
PAGE = FOLDER / "RESILIENCE.md"
RUN = (
    "resilience",
    "auth",
    "docs",
    "tasks",
    "upkeep/test_end_sessions.py",
    "web",
)
HEAD = "| item | what | figure | command |\n|---|---|---|---|\n"
_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| `(.+?)` \|")

Row = tuple[int, str, str, str]


def found(files: list[str]) -> list[Row]:
    """Run the tests; the figures that they kept."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "RESILIENCE_FIGURES": folder,
            "RACE_ROUNDS": os.environ.get("RACE_ROUNDS", "20"),
            "SCHEMATHESIS_EXAMPLES": os.environ.get("SCHEMATHESIS_EXAMPLES", "1000"),
            "LOAD_SECONDS": os.environ.get("LOAD_SECONDS", "60"),
            "FAULT_ROUNDS": os.environ.get("FAULT_ROUNDS", "20"),
        }
        # one process: what is timed is not to wait for another test
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "0",
            "-m",
            "programs or not programs",
            *files,
        ]
        run = subprocess.run(
            command, cwd=FOLDER.parent, env={**os.environ, **settings}, check=False
        )
        rows = [json.loads(file.read_text()) for file in Path(folder).iterdir()]
        if run.returncode:
            sys.exit("a test failed: the page is left as it was")
    return [(row["item"], row["what"], row["figure"], row["command"]) for row in rows]


def kept(page: str, renewed: set[str]) -> list[Row]:
    """The page's rows, but for those of the commands that were run."""
    rows = [
        (int(item), what, figure, command) for item, what, figure, command in _ROW.findall(page)
    ]
    return [row for row in rows if row[3] not in renewed]


def main(files: list[str]) -> None:
    rows = found(files or [str(FOLDER / name) for name in RUN])
    page = PAGE.read_text(encoding="utf-8")
    if files:
        rows += kept(page, {command for *_, command in rows})
    table = "".join(
        f"| {i} | {what} | {figure} | `{command}` |\n" for i, what, figure, command in sorted(rows)
    )
    before, _, after = page.partition(HEAD)
    rest = after[after.find("\n\n") + 1 :] if "\n\n" in after else ""
    PAGE.write_text(f"{before}{HEAD}{table}{rest}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
