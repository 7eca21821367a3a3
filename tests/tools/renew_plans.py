"""Renew sql/PLANS.md, the plans of all statements, on a PostgreSQL of its own.

    python tests/tools/renew_plans.py            the plans, on 1 000 000 tasks (a minute)
    python tests/tools/renew_plans.py --growth   the table and the picture of growth, on up to 10 000 000
                                           (ten minutes, 10 GB of disk for temporary files)

PG_BIN names the programs of another PostgreSQL than the wheel's, as for the tests.
"""

import argparse
import sys

import on_path  # noqa: F401
import psycopg

from plans.cases import cases
from plans.fill import fill
from plans.growth import SIZES, grow
from plans.measure import measure
from plans.page import PICTURE, write_growth, write_plans
from plans.picture import picture
from plans.server import migrated_database, own_server
from plans.shape import complaints

TASKS, USERS = 1_000_000, 1000


def renew_plans(server: str) -> None:
    with migrated_database(server, "plans") as connection:
        filled = fill(connection, tasks=TASKS, users=USERS)
        found = [measure(connection, case) for case in cases(filled)]
        wrong = [f"{one.case.title}: {complaint}" for one in found for complaint in complaints(one)]
        if wrong:
            sys.exit("\n".join(wrong))
        found.sort(key=lambda one: (not one.case.is_of_user, one.case.title))
        pages = {name: one.pages for name, one in found[0].relations.items()}
        write_plans(version_of(server), filled, pages, found)


def renew_growth(server: str) -> None:
    steps = []
    for tasks in SIZES:
        sys.stderr.write(f"{tasks} tasks …\n")
        steps.append(grow(server, tasks))
    write_growth(version_of(server), steps)
    PICTURE.write_text(picture(steps), encoding="utf-8")


def version_of(server: str) -> str:
    with psycopg.connect(server) as connection:
        return connection.execute("SHOW server_version").fetchall()[0][0].split()[0]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--growth", action="store_true", help="measure growth instead of the plans"
    )
    with own_server() as server:
        (renew_growth if arguments.parse_args().growth else renew_plans)(server)
