"""Moves the embedded PostgreSQL to another major version: a dump by the old programs, restored by the new.

The new cluster is made aside, in DATA_DIR/upgrade, and nobody else may use the old one meanwhile. When the
new one is complete, it becomes pg/data-new, then pg/data becomes pg/data-OLD, and pg/data-new is pg/data.
A call that is killed while pg/data is there leaves the old data in use, and the next call begins anew. One
that is killed after is finished by the next call; meanwhile nobody makes a database in its place. The old
cluster stays until the operator removes it.
"""

import fcntl
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from todo_api.embedded import keeper
from todo_api.embedded.cluster import interrupted, major_of
from todo_api.embedded.home import UPGRADE_LOCK, check_path, open_file
from todo_api.embedded.programs import EmbeddedError, Programs, environment, find_programs
from todo_api.embedded.running import embedded_postgres

log = logging.getLogger("todo_api.embedded")

ASIDE = "upgrade"


def upgrade(data_dir: Path, pg_bin: Path | None, old_bin: Path | None) -> Path | None:
    """Move the database of `data_dir` to the programs in `pg_bin`, or to the wheel's newest.

    `old_bin` has the programs of the version that it is in, unless the wheel has them. Returns the folder of
    the old cluster, which is kept; None when there is nothing to do. Raises EmbeddedError.
    """
    try:
        return _upgrade(data_dir, pg_bin, old_bin)
    except OSError as error:
        raise EmbeddedError(f"the database in {data_dir} cannot be upgraded: {error}.") from error


def _upgrade(data_dir: Path, pg_bin: Path | None, old_bin: Path | None) -> Path | None:
    home, aside = data_dir.absolute() / "pg", data_dir.absolute() / ASIDE
    old = major_of(home / "data") or _of_interrupted(home)
    if old is None:
        raise EmbeddedError(f"there is no database in {data_dir}.")
    new = find_programs(pg_bin, None)
    kept = home / f"data-{old}"
    with _alone(home):
        if not interrupted(home / "data"):
            if new.major == old:
                return None
            if new.major < old:
                raise EmbeddedError(
                    f"the database is of PostgreSQL {old}, newer than {new.version}."
                )
            if kept.exists():
                raise EmbeddedError(f"{kept} is there already. Remove it, or move it away.")
            check_path(aside / "pg")  # longer than that of the data: told before anything is done
            # Left by a call that was killed. The old data may have been written to since, so no copy of it
            # is of use, however complete.
            for left in (home / "data-new", aside):
                with suppress(FileNotFoundError):
                    shutil.rmtree(left)
            _copy(data_dir, aside, find_programs(old_bin, old), new)
            os.sync()
            (aside / "pg/data").rename(home / "data-new")
            _sync(home)
            (home / "data").rename(kept)
        (home / "data-new").rename(home / "data")
        _sync(home)
    shutil.rmtree(aside, ignore_errors=True)
    return kept


def _of_interrupted(home: Path) -> int | None:
    majors = [found for found in map(major_of, home.glob("data-[0-9]*")) if found]
    return max(majors, default=None) if interrupted(home / "data") else None


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep all services away from the cluster. Raises EmbeddedError if one uses it."""
    guard, users = open_file(home / UPGRADE_LOCK), open_file(home / "users.lock")
    try:
        if not keeper.try_lock(guard, fcntl.LOCK_EX):
            raise EmbeddedError(f"the database in {home} is being upgraded by another process.")
        free = keeper.try_lock(users, fcntl.LOCK_EX)
        os.close(users)
        users = -1
        if not free:
            raise EmbeddedError(f"the database in {home} is in use. Stop the service first.")
        yield
    finally:
        os.close(guard)
        if users >= 0:
            os.close(users)


def _copy(data_dir: Path, aside: Path, old: Programs, new: Programs) -> None:
    """Make a cluster of the new version in `aside`, with the roles and the database of the old one."""
    aside.mkdir(mode=0o700)
    owner = (data_dir / "pg/data").stat()
    if os.geteuid() == 0:  # the new cluster belongs to the same account
        os.chown(aside, owner.st_uid, owner.st_gid)
    log.info("copying the database from PostgreSQL %s to %s", old.version, new.version)
    with (
        embedded_postgres(data_dir, old.folder, may_make=False, upgrading=True) as old_url,
        embedded_postgres(aside, new.folder) as new_url,
    ):
        # By the old version's own programs: they know what its servers write into their catalogues. (A 15.20
        # marks every column with an option that pg_dump 18.4 passes on, and that no 18 accepts.)
        roles = _run(old.folder / "pg_dumpall", "--roles-only", "-d", old_url)
        # The superuser is there; all else about it stays.
        lines = [line for line in roles.splitlines() if line != b"CREATE ROLE todo;"]
        empty = new_url.replace("/todo?", "/postgres?")
        _run(new.folder / "psql", *_STRICT, "-d", empty, stdin=b"\n".join(lines))
        _run(new.folder / "psql", *_STRICT, "-d", empty, stdin=b"DROP DATABASE todo;")
        dump = aside / "dump"
        _run(old.folder / "pg_dump", "-Fc", "--create", "-f", dump, "-d", old_url)
        _run(new.folder / "pg_restore", "--create", "--exit-on-error", "-d", empty, dump)
        _run(new.folder / "psql", *_STRICT, "-d", new_url, stdin=b"ANALYZE;")
        dump.unlink()


_STRICT = ("--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1")


def _run(program: Path, *arguments: str | Path, stdin: bytes = b"") -> bytes:
    if not program.is_file():
        raise EmbeddedError(
            f"there is no `{program.name}` in {program.parent}: install PostgreSQL's client."
        )
    done = subprocess.run(
        [program, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        cwd="/",
        env=environment(),
    )
    if done.returncode:
        raise EmbeddedError(
            f"{program.name} failed: {done.stderr.decode(errors='replace').strip()}"
        )
    return done.stdout


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)
