"""Renew tests/bench/budget.toml, the Python calls that each kind of request may make.

    python tests/tools/renew_budget.py

on a PostgreSQL of its own; a few seconds. Prints what changed.
"""

import sys

import on_path  # noqa: F401
from psycopg.conninfo import make_conninfo

from bench import budget
from plans.server import migrated_database, own_server


def main() -> None:
    old = budget.read() if budget.FILE.exists() else {}
    with own_server() as server, migrated_database(server, "budget") as connection:
        counted = budget.count_in(make_conninfo(server, dbname=connection.info.dbname))
    budget.write(counted)
    for call, calls in counted.items():
        was = old.get(call)
        sys.stdout.write(f"{call}: {calls}" + (f" ({calls / was - 1:+.1%})\n" if was else "\n"))


if __name__ == "__main__":
    main()
