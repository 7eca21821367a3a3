"""The embedded PostgreSQL: a server of our own in DATA_DIR, for when DATABASE_URL is unset.

DATA_DIR/pg holds the cluster `data` (mode 0700, with the only socket in it), the server's log and three
locks. A service holds users.lock, shared, for as long as it lives, however it ends. A keeper process
(keeper.py) runs the server until that lock is free. A service holds start.lock while it starts or leaves,
so that no two do so at once.
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
from todo_api.embedded.cluster import create, major_of
from todo_api.embedded.home import kept, make_home, open_file, start_lock
from todo_api.embedded.programs import EmbeddedError, Programs, environment, find_programs

__all__ = ["EmbeddedError", "embedded_postgres"]

log = logging.getLogger("todo_api.embedded")


@contextmanager
def embedded_postgres(data_dir: Path, pg_bin: Path | None = None) -> Iterator[str]:
    """Keep a PostgreSQL of `data_dir` running; yield the libpq URL of its database.

    The superuser is called `todo`, and so is the database. `pg_bin` is the folder of the programs to use
    instead of the wheel's. Services on one folder share one server; the last one that leaves waits until
    the server has stopped. A process that is forked inside keeps the server running too, until it ends in
    whatever way. Raises EmbeddedError when there can be no server.
    """
    home = data_dir.absolute() / "pg"
    try:
        users = _enter(home, pg_bin)
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


def _enter(home: Path, pg_bin: Path | None) -> int:
    """Start the server unless it runs; the descriptor of users.lock, which makes this process a user."""
    data = home / "data"
    make_home(home)
    with start_lock(home) as starting:
        users = open_file(home / "users.lock")
        lock = open_file(home / "server.lock")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is stopping
            if keeper.try_lock(lock, fcntl.LOCK_EX):
                account = choose_account(data, home.parent)
                programs = reachable(find_programs(pg_bin, major_of(data)), account)
                if not data.exists():
                    log.info("first start: making a PostgreSQL %s in %s", programs.version, data)
                    create(home, programs, account, starting)
                _start_keeper(home, lock, programs, account)
                os.close(lock)  # the keeper holds it now
                lock = -1
            _wait_until_ready(home)
        except BaseException:
            os.close(users)
            raise
        finally:
            if lock >= 0:
                os.close(lock)
    return users


def _leave(home: Path, users: int) -> None:
    """Stop being a user; as the last one, wait until the server has stopped."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(start_lock(home))
        except FileNotFoundError:  # somebody has deleted the folder, and the keeper ends the server
            return
        finally:
            os.close(users)
        probe = open_file(home / "users.lock")
        # Free, or held by a keeper that is already stopping.
        last = keeper.try_lock(probe, fcntl.LOCK_EX) or not keeper.try_lock(probe, fcntl.LOCK_SH)
        os.close(probe)
        if last:
            while kept(home):
                time.sleep(0.01)
            keeper.settle(home / "data")  # a server whose keeper was killed


def _start_keeper(home: Path, lock: int, programs: Programs, account: Account | None) -> None:
    """Run keeper.py as a process of its own, which inherits the held `lock`."""
    keeper.report(lock, b"")
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
                *ids,
            ],
            stdin=subprocess.DEVNULL,
            stdout=server_log,
            stderr=server_log,
            cwd="/",
            env=environment(),
            start_new_session=True,  # Ctrl-C is for the service, which then decides
            pass_fds=(lock,),
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise EmbeddedError(f"The keeper of PostgreSQL did not start, see {home}/log.") from error
    finally:
        os.close(server_log)


def _wait_until_ready(home: Path) -> None:
    """Wait without limit while a keeper runs: a large database can take long to recover."""
    notice = time.monotonic() + 10
    while True:
        alive = kept(home)
        if (home / "server.lock").read_bytes() == keeper.READY:
            return
        if not alive:
            words = (home / "log").read_text(errors="replace").splitlines()[-10:]
            raise EmbeddedError("\n".join(["PostgreSQL did not start:", *words]))
        if time.monotonic() > notice:
            log.info("PostgreSQL is still starting, see %s/log", home)
            notice += 10
        time.sleep(0.01)
