"""The account that runs the embedded PostgreSQL when the service is root, and programs that it can reach."""

import fcntl
import hashlib
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from todo_api.embedded.programs import WHEEL, EmbeddedError, Programs, environment

log = logging.getLogger("todo_api.embedded")

# For copies of programs, never for data. Not below /var/lib/todo-api, which may be a private DATA_DIR.
COPIES = Path("/var/lib/todo-api-programs")


@dataclass(frozen=True)
class Account:
    """The unprivileged account that PostgreSQL gets when the service is root."""

    name: str
    uid: int
    gid: int


def choose_account(data: Path, data_dir: Path) -> Account | None:
    """The account to run PostgreSQL as: none when the service is not root.

    The owner of the cluster, else of the folder around it, else `postgres` or `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for folder in (data, data_dir):
        try:
            owner = pwd.getpwuid(folder.lstat().st_uid)
        except (FileNotFoundError, KeyError):
            continue
        if owner.pw_uid != 0:
            return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    raise EmbeddedError(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`. "
        "Give DATA_DIR to an unprivileged account, or set DATABASE_URL."
    )


def _runs(folder: Path, account: Account) -> bool:
    """Whether `account` can run the programs: reach the folder, load the libraries."""
    try:
        subprocess.run(
            [folder / "initdb", "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            env=environment(),
            cwd="/",
            capture_output=True,
            check=True,
        )
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def reachable(programs: Programs, account: Account | None) -> Programs:
    """The programs, or a copy of them where `account` can reach it when it cannot reach these.

    Copies are made once for each build, and appear complete or not at all.
    """
    if account is None or _runs(programs.folder, account):
        return programs
    source = programs.folder.resolve()
    build = hashlib.sha256((source / "postgres").read_bytes()).hexdigest()[:12]
    home = COPIES / f"{programs.version}-{build}"
    prefix = source.parent
    # Libraries are found relative to the programs, so the wheel's keep their place beside them.
    copy = home / prefix.parent.name / prefix.name / source.name
    try:
        if not home.exists():
            _copy(source, home, copy.relative_to(home))
            log.info("copied PostgreSQL to %s, as %s cannot reach %s", home, account.name, source)
        ready = _runs(copy, account)
    except OSError as error:
        raise EmbeddedError(f"{account.name} cannot reach {source}; copying it: {error}") from error
    if not ready:
        raise EmbeddedError(
            f"The account {account.name}, which is to run PostgreSQL, can reach neither "
            f"{source} nor the copy in {copy}. Install them where it can, and set PG_BIN."
        )
    return replace(programs, folder=copy)


def _copy(source: Path, home: Path, place: Path) -> None:
    COPIES.mkdir(mode=0o755, exist_ok=True)
    found = COPIES.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedError(f"{COPIES} must be a folder that only root may change.")
    guard = os.open(COPIES, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if home.exists():  # another start made it while this one waited
            return
        for leftover in COPIES.glob(".new-*"):
            shutil.rmtree(leftover)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=COPIES))
        to = new / place
        to.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            shutil.copyfile(source / name, to / name)
        unused = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
        for name in ("lib", "share"):
            if (source.parent / name).is_dir():
                shutil.copytree(source.parent / name, to.parent / name, ignore=unused)
        for libraries in source.parent.parent.parent.glob(f"{WHEEL}.libs"):
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent == to else 0o644)
        COPIES.chmod(0o755)  # whatever the umask
        os.sync()  # a power cut must not leave a file without its content
        new.rename(home)
    finally:
        os.close(guard)
