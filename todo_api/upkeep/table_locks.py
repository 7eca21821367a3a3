"""The tables that a migration shuts requests out of, locked together before its first statement.

A file that locks a second table waits for it while it holds the first, and a request may hold the second and
wait for the first: a deadlock, which one of the two does not survive. PostgreSQL looks for one after 1 s. So
all tables are locked with shorter waits than that, and given back if one of them is not to be had.
"""

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

_LOCKS = re.compile(r"^-- Locks: (.+)$", re.MULTILINE)
_SHUTS_OUT = re.compile(r"\b(ACCESS EXCLUSIVE|EXCLUSIVE|SHARE ROW EXCLUSIVE|SHARE) on ([\w, ]+)")
# For each of at most four tables, round after round.
_TOGETHER_MS = (50, 100, 150, *[200] * 7)
# As the files say for themselves: longer than the second after which PostgreSQL cancels an autovacuum.
_ALONE_MS = 1500

Connection = psycopg.Connection[Any]


def shut_out_by(file: Path) -> list[str]:
    """The commands that take the locks which the header of a migration or a rollback names."""
    header = file.read_text(encoding="utf-8").partition("\n\n")[0]
    said = _LOCKS.search(header)
    return [
        f"LOCK TABLE public.{table} IN {mode} MODE"
        for part in (said[1].split("; ") if said else [])
        if (found := _SHUTS_OUT.fullmatch(part))
        for mode, tables in [found.groups()]
        for table in tables.split(", ")
    ]


def lock_together(connection: Connection, commands: list[str]) -> None:
    """Take all of the locks in the current transaction, or raise LockNotAvailable."""
    if len(commands) < 2:  # the file's own statement may wait: it holds nothing then
        return
    for patience in _TOGETHER_MS:
        try:
            with connection.transaction():
                _wait_at_most(connection, patience)
                for command in commands:
                    connection.execute(command.encode())
            return
        except errors.LockNotAvailable:
            _wait_for_each(connection, commands)
    raise errors.LockNotAvailable("the tables could not be locked together")


def _wait_for_each(connection: Connection, commands: list[str]) -> None:
    """Wait for whoever holds one of them for long, and cancel autovacuums, while no other table is held."""
    for command in commands:
        with connection.transaction(force_rollback=True):
            _wait_at_most(connection, _ALONE_MS)
            connection.execute(command.encode())


def _wait_at_most(connection: Connection, milliseconds: int) -> None:
    connection.execute(f"SET LOCAL lock_timeout = {milliseconds}".encode())
