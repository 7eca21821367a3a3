"""Migrates in a process of its own the databases whose URLs it reads, one a line, from FOLDER if given."""

import sys
from pathlib import Path

from todo_api.upkeep.migrate import MigrationError, migrate


def answer(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else None
    answer("ready")
    for url in sys.stdin:
        try:
            answer(" ".join(migrate(url.strip(), folder)))
        except MigrationError as error:
            answer(f"refused: {error}")
