"""Lets time pass for what expires, and removes it, as days of housekeeping would."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from support.credentials import SECRET

# What is older than this many seconds becomes so old that it has expired: users count on what is younger.
AGE_S = 60
_AGED = (
    ("deleted_tasks", "deleted_at", 31),
    ("idempotency_keys", "created_at", 2),
    ("batch_results", "created_at", 2),
    ("auth_events", "occurred_at", 91),
)  # table, column, and by how many days
# The next look of a worker finds that a sweep is due.
_DUE = "UPDATE housekeeping SET swept_at = swept_at - interval '2 hours'"


class Upkeep:
    """Of a database; counts what was removed, by the table."""

    def __init__(self, database: psycopg.Connection[Any], database_url: str, folder: Path) -> None:
        self._database, self._url, self._folder = database, database_url, folder
        self.pruned: Counter[str] = Counter()
        self.rounds = 0

    def pass_time(self) -> None:
        """Age what is there, and let `todo-api prune` remove it."""
        for table, column, days in _AGED:
            aged = (
                f"UPDATE {table} SET {column} = {column} - make_interval(days => {days})"
                f" WHERE {column} BETWEEN now() - interval '1 day' AND now() - make_interval(secs => %s)"
            )
            self._database.execute(aged.encode(), [AGE_S])
        self._database.execute(_DUE)
        said = subprocess.run(
            [sys.executable, "-m", "todo_api", "prune"],
            cwd=self._folder,  # where no .env is
            env={**os.environ, "DATABASE_URL": self._url, "JWT_SECRET": SECRET},
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        self.pruned += Counter(_counts(said.stdout))
        self.rounds += 1


def swept(log: str) -> Counter[str]:
    """What the service's own housekeeping has removed, by its log."""
    found: Counter[str] = Counter()
    for line in re.findall(r"housekeeping removed ([^\"]+)", log):
        found += Counter(_counts(line))
    return found


def _counts(text: str) -> dict[str, int]:
    return {kind: int(rows) for kind, rows in re.findall(r"(\w+): (\d+)", text)}
