"""A service in small: it uses the embedded PostgreSQL of a folder until its input ends.

python holder.py DATA_DIR PG_BIN COPIES [drain] [worker] [child] [finds] [connections=NUMBER]

COPIES is where root keeps copies of programs that PostgreSQL's account cannot reach.
    drain   does not stop at Ctrl-C
    worker  forks a worker that stays, and prints its number
    child   forks a child that leaves at once, through the context as well
    finds   makes no database, as most commands
    connections  how many it may open
"""

import logging
import os
import signal
import sys
from pathlib import Path

from todo_api.embedded import account as embedded_account
from todo_api.embedded.running import EmbeddedError, embedded_postgres


def main(data_dir: str, pg_bin: str, copies: str, *ways: str) -> None:
    embedded_account.COPIES = Path(copies)
    if "drain" in ways:
        signal.signal(signal.SIGINT, lambda *_: None)
    programs = Path(pg_bin) if pg_bin else None
    numbers = [int(way.partition("=")[2]) for way in ways if way.startswith("connections=")]
    with embedded_postgres(
        Path(data_dir), programs, may_make="finds" not in ways, connections=sum(numbers)
    ) as url:
        if "child" in ways:
            child = os.fork()
            if not child:
                return
            os.waitpid(child, 0)
        worker = 0
        if "worker" in ways:
            worker = os.fork()
            if not worker:
                # Not the pipes: the test reads them to their end.
                os.closerange(0, 3)
                while True:
                    signal.pause()
        sys.stdout.write(f"{url} {worker}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    try:
        main(*sys.argv[1:])
    except EmbeddedError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
