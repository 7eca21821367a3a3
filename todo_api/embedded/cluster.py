"""Makes the cluster of the embedded PostgreSQL, complete or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from todo_api.embedded.account import Account
from todo_api.embedded.programs import EmbeddedError, Programs, environment


def major_of(data: Path) -> int | None:
    """The major version of PostgreSQL that made the cluster; None when there is no cluster.

    Raises EmbeddedError when the cluster does not say.
    """
    file = data / "PG_VERSION"
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:  # also a UnicodeDecodeError
        raise EmbeddedError(
            f"{file} holds no version, so the database is damaged. Restore {data} from a backup."
        ) from error


def interrupted(data: Path) -> bool:
    """Whether an upgrade was killed between its last steps: the cluster is there, under another name."""
    return not data.exists() and data.with_name("data-new").exists()


def create(home: Path, programs: Programs, account: Account | None, starting: int) -> None:
    """Make the cluster and its database in `home`/new, flush it to disk, then rename it to `home`/data.

    `starting` is the descriptor of the start lock, which is held. Raises EmbeddedError if a program fails.
    """
    new = home / "new"
    if new.exists():
        shutil.rmtree(new)  # left by a first start that was killed
    new.mkdir(mode=0o700)
    if account:
        os.chown(new, account.uid, account.gid, follow_symlinks=False)
    folder = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    # Sort by bytes, not by a system locale: the order of an index must not change with the C library.
    # PostgreSQL 17 and later have a locale that sorts by bytes and knows Unicode's upper and lower case.
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    locale = ["--locale=C", *(builtin if programs.major >= 17 else ())]
    where = f"/proc/self/fd/{folder}" if account and sys.platform == "linux" else str(new)

    def run(program: str, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(
            [programs.folder / program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment(),
            start_new_session=True,
            # These programs hold the lock too: if the start is killed, the next start waits for them.
            pass_fds=(folder, starting),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL's {program} failed in {new}:\n{done.stderr.strip()}")

    try:
        # Only root and the account itself can enter the socket's folder, so no password is needed.
        trust = ["--username=todo", "--auth-local=trust", "--auth-host=reject"]
        run("initdb", "-D", where, "--no-sync", "--encoding=UTF8", *locale, *trust)
        create = "CREATE DATABASE todo;\n"
        exact = ["-c", "exit_on_error=on", "-c", "log_min_messages=fatal"]
        run("postgres", "--single", "-F", "-D", where, *exact, "postgres", stdin=create)
        run("initdb", "-D", where, "--sync-only")
    finally:
        os.close(folder)
    new.rename(home / "data")
    for path in (home, home.parent):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)
