"""Upgrade from a former version and back, under traffic, and print what users met, in Markdown.

python tests/tools/upgrade_trial.py postgres COMMIT     two machines behind nginx, PostgreSQL of PG_BIN
python tests/tools/upgrade_trial.py embedded COMMIT     one machine with a PostgreSQL of its own

It does what todo_api/deploy/README.md tells operators to do. COMMIT is the former version, or the Python of
an environment where that is installed. USERS, TASKS (of each user) and SECONDS (of a phase) may be set: 1000,
1000 and 15. Needs git, nginx and a package index.
Nothing else may run on the machine. The exit status is 1 if a request failed where the guide does not say so,
or if an answer was wrong.
"""

import sys

import on_path  # noqa: F401

from support.upgrade.on_embedded import on_embedded
from support.upgrade.on_postgres import on_postgres
from support.upgrade.trial import a_trial

KINDS = {"postgres": on_postgres, "embedded": on_embedded}


def main(kind: str, commit: str) -> int:
    with a_trial(commit) as trial:
        said = KINDS[kind](trial)
        print(f"{said}\n{trial.record.report()}")  # noqa: T201
    return 0 if trial.record.is_well() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
