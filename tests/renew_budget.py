"""Renew tests/bench/budget.toml, the Python calls that each kind of request may make.

    python tests/renew_budget.py

on a PostgreSQL of its own; a few seconds. Prints what changed.
"""

import sys

from bench import budget
from plans.server import migrated_database, own_server
from psycopg.conninfo import make_conninfo


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
