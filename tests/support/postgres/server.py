"""A PostgreSQL of a test's own: configured, killed, copied and promoted as the test likes."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from support.folders import quick_folder
from support.processes import alive, children
from support.waiting import until
from todo_api.embedded.account import Account, choose_account, reachable
from todo_api.embedded.programs import environment, find_programs

PATIENCE_S = 60


class Server:
    """A cluster in `folder`, which has its only socket too; started by start()."""

    def __init__(self, folder: Path, pg_bin: Path | None, account: Account | None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.account = account
        self.found = find_programs(pg_bin, None)
        self.programs = reachable(self.found, account)
        self.url = make_conninfo(host=str(folder), port=5432, user="todo", dbname="postgres")
        self._process: subprocess.Popen[bytes] | None = None
        self.take()

    def take(self) -> None:
        """Give all that is in the folder to the account that PostgreSQL runs as."""
        if self.account:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.account.uid, self.account.gid)

    def make(self, *options: str) -> None:
        """Make the cluster, with the superuser todo; the options are initdb's."""
        trust = ["--username=todo", "--auth-local=trust", "--auth-host=scram-sha-256"]
        command = ["initdb", "-D", self.data, "--no-sync", *trust, "--encoding=UTF8", "--locale=C"]
        assert self._spawn(*command, *options).wait(timeout=PATIENCE_S) == 0, self.log()
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\nfsync = off\n"
            )

    def start(self, port: int = 5432, **settings: Any) -> None:
        """Start it and wait until it answers on its socket, whose name has the port in it."""
        self.url = make_conninfo(self.url, port=port)
        settings["port"] = port
        chosen = [f"--{name}={value}" for name, value in settings.items()]
        self._process = self._spawn("postgres", "-D", self.data, *chosen)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)
            else:
                return

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def ask(self, sql: str) -> Any:
        """The first column of the first row."""
        with closing(self.connect()) as connection:
            cursor = connection.execute(sql.encode())
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def kill(self) -> None:
        """End it as a power cut does: the postmaster and all of its children at once."""
        process = self._process
        if process is None:
            return
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        # Now there are no more of them than these.
        backends = children(process.pid)
        for pid in (process.pid, *backends):
            os.kill(pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)
        # While one of them is still ending, it holds the shared memory, and the next start fails.
        until(lambda: not any(map(alive, backends)), PATIENCE_S)
        self._process = None

    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it at once, with nothing left behind in shared memory."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=PATIENCE_S)
            self._process = None

    def copy_from(self, other: "Server", slot: str) -> None:
        """Become the standby of a running server, by way of a replication slot."""
        subprocess.run(
            [
                *(self.found.folder / "pg_basebackup", "-D", self.data, "--no-sync", "-c", "fast"),
                *("-R", "-C", "-S", slot, "-d", make_conninfo(other.url, dbname="")),
            ],
            env=environment(),
            check=True,
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"unix_socket_directories = '{self.folder}'\n")
        self.take()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _spawn(self, program: str, *arguments: Any) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.programs.folder / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )


@contextmanager
def a_server(pg_bin: str | None = None) -> Iterator[Server]:
    """A server that is not made yet, of the programs in `pg_bin`, else PG_BIN, else the wheel."""
    programs = pg_bin or os.environ.get("PG_BIN")
    folder = quick_folder("todo-pg-")  # short: the path of a socket has to be
    folder.chmod(0o755)
    server = Server(folder, Path(programs) if programs else None, choose_account(folder, folder))
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
