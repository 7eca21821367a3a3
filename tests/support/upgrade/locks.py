"""Which tables a migration locks against requests, and for how long, by looking again and again."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

# A lock that requests wait for, whether they write or read; and the waits of the migration itself.
_LOCKS = """
    SELECT l.relation::regclass::text, l.mode, l.granted
    FROM pg_locks AS l
    INNER JOIN pg_stat_activity AS a ON a.pid = l.pid
    INNER JOIN pg_class AS c ON c.oid = l.relation
    WHERE a.application_name = 'todo-api migrate'
        AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        AND c.relname = ANY (%s)
"""
_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
_STEP_S = 0.005


class Locks:
    """What was seen: seconds by migration, table and mode."""

    def __init__(self, url: str, log: Path) -> None:
        self.held: dict[tuple[str, str, str], float] = defaultdict(float)
        self.times: dict[str, float] = {}
        self.tries = 0
        self._url, self._log = url, log
        self._end = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _watch(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as superuser:
            tables = [name for (name,) in superuser.execute(_TABLES.encode())]
            current, began, before = "", time.monotonic(), time.monotonic()
            while not self._end.wait(_STEP_S):
                seen = superuser.execute(_LOCKS.encode(), [tables]).fetchall()
                at_work, now = self._at_work(), time.monotonic()
                if at_work != current:
                    self._took(current, now - began)
                    current, began = at_work, now
                for table, mode, is_granted in seen:
                    kind = mode.removesuffix("Lock") if is_granted else "waited for"
                    self.held[current, table, kind] += now - before
                before = now
            self._took(current, time.monotonic() - began)

    def _at_work(self) -> str:
        """The migration that the log names last."""
        text = self._log.read_text() if self._log.exists() else ""
        self.tries = text.count("trying again")
        words = ("applying migration ", "rolling back migration ")
        found = max(words, key=text.rfind)
        at = text.rfind(found)
        return "" if at < 0 else text[at + len(found) :].split('"')[0].split()[0]

    def _took(self, migration: str, seconds: float) -> None:
        if migration:
            self.times[migration] = self.times.get(migration, 0.0) + seconds

    def report(self) -> str:
        """A table as Markdown."""
        rows = []
        for migration, seconds in self.times.items():
            locks = ", ".join(
                f"{table} {kind} {1000 * held:.0f} ms"
                for (name, table, kind), held in self.held.items()
                if name == migration
            )
            rows.append(f"| {migration} | {seconds:.2f} | {locks} |")
        head = "| migration | seconds | locks |\n|---|---|---|\n"
        return head + "\n".join(rows) + f"\n\nTried again: {self.tries}\n"
