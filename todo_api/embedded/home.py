"""The folder of the embedded PostgreSQL, DATA_DIR/pg: path, owner, lock files and the state they tell."""

import contextlib
import fcntl
import logging
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from todo_api.embedded.keeper import READY, try_lock
from todo_api.embedded.programs import EmbeddedError

log = logging.getLogger("todo_api.embedded")

SOCKET = ".s.PGSQL.5432"
UPGRADE_LOCK = "upgrade.lock"  # held while upgrade.py copies and renames the cluster
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103  # bytes, without the final NUL


def check_path(home: Path) -> None:
    """Raise EmbeddedError when no server could have its socket in a cluster below `home`."""
    data = home / "data"
    length = len(os.fsencode(data / SOCKET))
    if length > SOCKET_PATH_LIMIT:
        raise EmbeddedError(
            f"The socket {data / SOCKET} would have a path of {length} bytes, and this system "
            f"allows {SOCKET_PATH_LIMIT}. Set DATA_DIR to a path that is at least "
            f"{length - SOCKET_PATH_LIMIT} bytes shorter, and move the folder there if there is one."
        )
    if {",", "\n"} & set(str(data)):
        raise EmbeddedError(
            f"The path {data} has a comma or a line break in it, and PostgreSQL's clients take a "
            "comma for the end of a host. Set DATA_DIR to a path without."
        )


def make_home(home: Path) -> None:
    """Make the folder and its parent. Raises EmbeddedError when the path can't be used."""
    check_path(home)
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # As root, let other accounts pass through: the cluster may belong to one of them.
    with contextlib.suppress(FileExistsError):
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
        _give_to_owner_above(home)
    if not stat.S_ISDIR(home.lstat().st_mode):  # root must not follow another account's link
        raise EmbeddedError(f"{home} must be a folder. Remove it, or set another DATA_DIR.")


def open_file(file: Path) -> int:
    """Open a lock file; a new one gets the owner of its folder."""
    try:
        return os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            _give_to_owner_above(file)
        return os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def _give_to_owner_above(path: Path) -> None:
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)


@contextmanager
def start_lock(home: Path) -> Iterator[int]:
    """Wait for start.lock and hold it; yield its descriptor."""
    lock = open_file(home / "start.lock")
    try:
        if not try_lock(lock, fcntl.LOCK_EX):
            log.info("waiting for another process that starts or stops PostgreSQL in %s", home)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def kept(home: Path) -> bool:
    """Whether a keeper, or a service that is about to start one, holds server.lock."""
    lock = open_file(home / "server.lock")
    free = try_lock(lock, fcntl.LOCK_EX)
    os.close(lock)
    return not free


def wait_until_ready(home: Path) -> None:
    """Wait without a timeout while a keeper runs: a large database can take long to recover."""
    notice = time.monotonic() + 10
    while True:
        alive = kept(home)
        if (home / "server.lock").read_bytes() == READY:
            return
        if not alive:
            words = (home / "log").read_text(errors="replace").splitlines()[-10:]
            raise EmbeddedError("\n".join(["PostgreSQL did not start:", *(words or [_room(home)])]))
        if time.monotonic() > notice:
            log.info("PostgreSQL is still starting, see %s/log (%s)", home, _room(home))
            notice += 10
        time.sleep(0.01)


def _room(home: Path) -> str:
    """How much room is left for the server: on a full disk it can't even log why it fails."""
    disk = os.statvfs(home)
    return f"{disk.f_bavail * disk.f_frsize} bytes are free on the disk of {home}"
