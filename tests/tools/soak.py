"""Let the service work for half an hour, check every answer and what it takes; write tests/SOAK.md.

    python tests/tools/soak.py                              200 users for 30 minutes
    python tests/tools/soak.py --users 20 --seconds 60      a short run; prints the page

The page is written by a run with the usual numbers in which everything was right. PG_BIN names the
programs of another PostgreSQL than the wheel's.
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import on_path  # noqa: F401
from compare_speed import machine

from bench import commit
from bench.service import new_database
from long_run.growth import findings
from long_run.page import page
from long_run.run import Outcome, run
from long_run.traffic import Plan
from support.postgres.embedded_server import embedded_server

PAGE = Path(__file__).parents[1] / "SOAK.md"
LAST = (
    commit.ROOT / "build" / "soak.json"
)  # the last whole run, to judge it and write the page again


def main() -> None:
    usual = Plan()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--users", type=int, default=usual.users, help=f"{usual.users} without it")
    add("--seconds", type=float, default=usual.seconds, help=f"{usual.seconds:.0f} without it")
    add(
        "--rate", type=float, default=usual.steps_per_s, help="steps a second of all users together"
    )
    add("--again", action="store_true", help="judge the last whole run again, and write its page")
    given = parser.parse_args()
    if given.again:
        made, outcome = msgspec.json.decode(LAST.read_bytes(), type=tuple[str, Outcome])
    else:
        plan = usual._replace(users=given.users, seconds=given.seconds, steps_per_s=given.rate)
        made, outcome = _made(), _run(plan)
        if plan == usual:
            LAST.parent.mkdir(exist_ok=True)
            LAST.write_bytes(msgspec.json.encode((made, outcome)))
    wrong = [*outcome.wrong, *findings(outcome.samples, outcome.tables)]
    sys.stdout.write(text := page(outcome, made))
    if wrong:
        sys.exit("\n".join(["wrong:", *wrong[:20]]))
    if outcome.plan == usual:
        PAGE.write_text(text, encoding="utf-8")


def _run(plan: Plan) -> Outcome:
    with embedded_server() as server, tempfile.TemporaryDirectory(prefix="todo-soak-") as folder:
        return run(new_database(server, "soak"), Path(folder), plan, _say)


def _made() -> str:
    version = commit.described() + ("" if commit.is_clean() else " with changes")
    return f"on {datetime.now(UTC).date().isoformat()} at commit {version}, on {machine()}"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
