"""Runs the embedded PostgreSQL in DATA_DIR, when DATABASE_URL is unset.

DATA_DIR/pg has the cluster `data` (mode 0700, with the only socket in it), the server's log and three lock
files. Each service holds users.lock as a shared lock until it ends, for whatever reason. A keeper process
(keeper.py) holds server.lock and runs the server until users.lock is free. A service holds start.lock while
it starts or leaves, so that only one service does so at a time.
"""

import contextlib
import fcntl
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from todo_api.embedded import keeper
from todo_api.embedded.account import Account, choose_account, reachable
from todo_api.embedded.cluster import create, interrupted, major_of
from todo_api.embedded.home import (
    UPGRADE_LOCK,
    kept,
    make_home,
    open_file,
    start_lock,
    wait_until_ready,
)
from todo_api.embedded.programs import EmbeddedError, Programs, environment, find_programs

__all__ = ["EmbeddedError", "embedded_postgres", "serving_url"]

log = logging.getLogger("todo_api.embedded")

_LEAST_CONNECTIONS = 100
_RESERVE = 20  # for the operator's commands and psql; three of these are for superusers alone


@contextmanager
def embedded_postgres(
    data_dir: Path,
    pg_bin: Path | None = None,
    *,
    may_make: bool = True,
    connections: int = 0,
    upgrading: bool = False,
) -> Iterator[str]:
    """Keep a PostgreSQL of `data_dir` running; yield the libpq URL of its database.

    The superuser and the database are both called `todo`. `pg_bin` is the folder of the programs to use
    instead of the wheel's. Without `may_make` there has to be a database. A server that is started here takes
    `connections` and some more, at least 100. Services on one folder share one server; the last service that
    leaves waits until the server has stopped. A process that is forked inside the block also keeps the server
    running until that process ends. Raises EmbeddedError when the server can't run.
    """
    home = data_dir.absolute() / "pg"
    try:
        if not may_make and not (home / "data").exists() and not interrupted(home / "data"):
            raise EmbeddedError(
                f"there is no database in {data_dir}, and only `serve` and `migrate` make one. Set "
                "DATABASE_URL to the database that you mean, or DATA_DIR to its folder."
            )
        users = _enter(home, pg_bin, connections, upgrading=upgrading)
    except OSError as error:
        raise EmbeddedError(
            f"The embedded PostgreSQL cannot use DATA_DIR {data_dir}: {error}. "
            "Set DATA_DIR to a folder that this account may write, or set DATABASE_URL."
        ) from error
    try:
        host = quote(os.fsencode(home / "data"), safe="")
        yield f"postgresql:///todo?host={host}&port=5432&user=todo"
    finally:
        _leave(home, users)


def serving_url(url: str) -> str:
    """The same database for the login that serves, which upkeep/narrow_login.py makes."""
    return f"{url}_serve"  # user=todo is its last word


def _enter(home: Path, pg_bin: Path | None, connections: int, *, upgrading: bool) -> int:
    """Start the server unless it runs; returns the descriptor of users.lock, which is held from then on."""
    data = home / "data"
    make_home(home)
    with start_lock(home) as starting:
        users = open_file(home / "users.lock")
        lock = open_file(home / "server.lock")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is stopping
            if not upgrading:
                _refuse_while_upgraded(home)
            if keeper.try_lock(lock, fcntl.LOCK_EX):
                account = choose_account(data, home.parent)
                programs = reachable(find_programs(pg_bin, major_of(data)), account)
                if not data.exists():
                    log.info("first start: making a PostgreSQL %s in %s", programs.version, data)
                    create(home, programs, account, starting)
                _start_keeper(home, lock, programs, connections, account)
                os.close(lock)  # the keeper holds it now
                lock = -1
            wait_until_ready(home)
        except BaseException:
            os.close(users)
            raise
        finally:
            if lock >= 0:
                os.close(lock)
    return users


def _refuse_while_upgraded(home: Path) -> None:
    guard = open_file(home / UPGRADE_LOCK)
    free = keeper.try_lock(guard, fcntl.LOCK_SH)
    os.close(guard)
    if not free:
        raise EmbeddedError(f"the database in {home} is being upgraded.")
    if interrupted(home / "data"):
        raise EmbeddedError(
            f"an upgrade of the database in {home} was cut short. Run `todo-api upgrade-data`."
        )


def _leave(home: Path, users: int) -> None:
    """Release users.lock; as the last service, wait until the server has stopped."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(start_lock(home))
        except FileNotFoundError:  # the folder was deleted, and the keeper ends the server
            return
        finally:
            os.close(users)
        probe = open_file(home / "users.lock")
        # The lock is free, or held by a keeper that is already stopping.
        last = keeper.try_lock(probe, fcntl.LOCK_EX) or not keeper.try_lock(probe, fcntl.LOCK_SH)
        os.close(probe)
        if last:
            while kept(home):
                time.sleep(0.01)
            keeper.settle(home / "data")  # stop a server whose keeper was killed


def _start_keeper(
    home: Path, lock: int, programs: Programs, connections: int, account: Account | None
) -> None:
    """Run keeper.py as a separate process, which inherits the held `lock`."""
    keeper.report(lock, keeper.NOT_READY)
    with contextlib.suppress(FileNotFoundError):
        (home / "log").rename(home / "log.1")
    server_log = open_file(home / "log")
    ids = [str(account.uid), str(account.gid)] if account else []
    try:
        subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                keeper.__file__,
                home,
                str(lock),
                programs.folder / "postgres",
                str(max(_LEAST_CONNECTIONS, connections + _RESERVE)),
                *ids,
            ],
            stdin=subprocess.DEVNULL,
            stdout=server_log,
            stderr=server_log,
            cwd="/",
            env=environment(),
            start_new_session=True,  # Ctrl-C must reach only the service
            pass_fds=(lock,),
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise EmbeddedError(f"The keeper of PostgreSQL did not start, see {home}/log.") from error
    finally:
        os.close(server_log)
