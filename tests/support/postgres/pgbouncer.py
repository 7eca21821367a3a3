"""A PgBouncer before PostgreSQL: the one on the PATH, or that PGBOUNCER names."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from todo_api.embedded.account import choose_account

PATIENCE_S = 20
_KEEPS_TRACK = (1, 21)  # since then it knows each client's prepared statements


@dataclass(frozen=True)
class PgBouncer:
    """A running one; `folder` holds its socket and its log."""

    folder: Path
    prepares: bool  # whether clients may prepare

    def url(self, url: str) -> str:
        """The way through it to the database of `url`."""
        return make_conninfo(url, host=str(self.folder), port=6432)

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def pgbouncer(
    url: str, pool_size: int = 20, pool_mode: str = "transaction", *, keeps_track: bool = True
) -> Iterator[PgBouncer]:
    """Run one before the server of `url`, for its user and all its databases."""
    program = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=_path())
    assert program, "there is no pgbouncer to run: install it, or name it in PGBOUNCER"
    server = conninfo_to_dict(url)
    data = Path(str(server["host"]))
    account = choose_account(data, data)  # it refuses to run as root, and has to get at the socket
    knows = _version(program) >= _KEEPS_TRACK
    prepares = knows and keeps_track
    folder = Path(tempfile.mkdtemp(prefix="todo-bouncer-"))
    folder.chmod(0o755)
    (folder / "users").write_text(f'"{server["user"]}" ""\n')
    (folder / "ini").write_text(
        f"""[databases]
* = host={data} port={server["port"]}
[pgbouncer]
pool_mode = {pool_mode}
default_pool_size = {pool_size}
server_login_retry = 1
max_client_conn = 500
{f"max_prepared_statements = {200 if keeps_track else 0}" if knows else ""}
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
admin_users = {server["user"]}
"""
    )
    if account:
        os.chown(folder, account.uid, account.gid)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, folder / "ini"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    bouncer = PgBouncer(folder, prepares)
    try:
        _wait_until_ready(bouncer, url)
        yield bouncer
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"  # where Debian has it


def _version(program: str) -> tuple[int, ...]:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"PgBouncer (\d+)\.(\d+)", shown.stdout)
    assert found, shown.stdout
    return tuple(map(int, found.groups()))


def _wait_until_ready(bouncer: PgBouncer, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(bouncer.url(url), connect_timeout=5).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, bouncer.log()
            time.sleep(0.02)
        else:
            return
