"""What service and database take, looked at every few seconds."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench.processes import unique_mib
from resilience.monitoring.scrape import Scraper, processes
from support.live_service import LiveService

_CONNECTIONS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'todo-api'"
)
_TABLES = (
    "SELECT relname, pg_total_relation_size(relid), n_live_tup, n_dead_tup FROM pg_stat_user_tables"
    " WHERE relname !~ 'yoyo' AND relname NOT IN ('applied_migrations', 'housekeeping')"
)


class Table(NamedTuple):
    """Bytes with the indexes; rows are PostgreSQL's estimates."""

    bytes: int
    rows: int
    dead_rows: int


class Sample(NamedTuple):
    """All at one moment. Memory is in MiB and by process."""

    at: float  # seconds from the start of the traffic
    memory: dict[str, float]  # what a process shares with no other
    resident: dict[str, float]  # all that it has in memory
    files: int  # of all processes, but for those that are connections to the database
    threads: int
    connections: int
    backends: float  # MiB, of PostgreSQL's processes for these connections
    waiting: int  # requests that wait for a connection
    unsent: float  # MiB of answers that clients have not read
    tables: dict[str, Table]

    @property
    def table_bytes(self) -> int:
        """Of all tables together."""
        return sum(one.bytes for one in self.tables.values())


class Sampler:
    """Looks at the processes that serve now: one that is replaced ends the run."""

    def __init__(self, service: LiveService, database: psycopg.Connection[Any]) -> None:
        self._database = database
        self._scraper = Scraper(service)
        workers = enumerate(processes(service, "worker"), 1)
        self.pids = {f"worker {number}": pid for number, pid in workers}
        for number, pid in enumerate(processes(service, "metrics process"), 1):
            self.pids["metrics" if number == 1 else f"metrics {number}"] = pid
        self.pids["supervisor"] = service.process.pid

    def look(self, at: float) -> Sample:
        """A sample. Raises FileNotFoundError when a process is gone."""
        sums = self._scraper.sums()
        backends = [pid for (pid,) in self._database.execute(_CONNECTIONS)]
        files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids.values())
        maps = {name: _rollup(pid) for name, pid in self.pids.items()}
        return Sample(
            at,
            {name: unique_mib(text) for name, text in maps.items()},
            {name: _resident_mib(text) for name, text in maps.items()},
            files - len(backends),
            sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.pids.values()),
            len(backends),
            sum(_backend_mib(pid) for pid in backends),
            int(sums.of("database_waiting_requests")),
            sums.of("unsent_bytes") / 2**20,
            {name: Table(*rest) for name, *rest in self._database.execute(_TABLES)},
        )


class Packed(NamedTuple):
    """A table at the end: bytes as it is after a vacuum, and written anew with nothing but living rows."""

    rows: int
    bytes: int
    packed: int


def packed(database: psycopg.Connection[Any], tables: list[str]) -> dict[str, Packed]:
    """How much of each table is alive. Nobody else may use them."""
    found = {}
    for name in tables:
        sizes = []
        for command in ("VACUUM (ANALYZE)", "VACUUM (FULL, ANALYZE)"):
            database.execute(f"{command} {name}".encode())
            query = "SELECT pg_total_relation_size(%s::regclass)"
            sizes += [int(one) for (one,) in database.execute(query, [name])]
        [(rows,)] = database.execute(f"SELECT count(*) FROM {name}".encode())
        found[name] = Packed(int(rows), *sizes)
    return found


def _rollup(pid: int) -> str:
    return Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")


def _resident_mib(smaps_rollup: str) -> float:
    return sum(map(int, re.findall(r"^Rss: +(\d+) kB", smaps_rollup, re.MULTILINE))) / 1024


def _backend_mib(pid: int) -> float:
    try:
        return unique_mib(_rollup(pid))
    except FileNotFoundError:  # its connection has ended since
        return 0.0
