"""The service as an operator starts it: `todo-api serve` on a database of the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.credentials import SECRET
from support.leaks import Scan

PATIENCE_S = 60
SERVE = [sys.executable, "-m", "todo_api", "serve"]


@contextmanager
def live_service(
    database_url: str, folder: Path, *, command: list[str] = SERVE, **more: str
) -> Iterator[str]:
    """Serve on a free port until the block ends; its URL. The log goes to a file in `folder`.

    Whatever the block is about, nothing may leak into the log.
    """
    with live_process(database_url, folder, command=command, **more) as (_, url):
        yield url
    scan = Scan(SECRET)
    for line in (folder / "service.log").read_text().splitlines():
        scan.log_line(line)
    assert not scan.found, scan.found


@contextmanager
def live_process(
    database_url: str, folder: Path, *, command: list[str] = SERVE, **more: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """As live_service, with the parent of its workers, which the block may have ended itself."""
    settings = {
        "DATABASE_URL": database_url,
        "JWT_SECRET": SECRET,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "WORKERS": "1",
        "BCRYPT_ROUNDS": "4",
        "AUTH_RATE_LIMIT": "1000 per minute",
        **more,
    }
    log = folder / "service.log"
    with started(command, settings, log) as (
        process,
        announced,
    ):
        assert announced.startswith("Todo API on http"), log.read_text()
        yield process, announced.split()[3]


@contextmanager
def started(
    command: list[str], settings: dict[str, str], log: Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server until the block ends; its process and its first line. The log's folder is its own."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=out,
            cwd=log.parent,  # where no .env is
            env={**os.environ, **settings},
            text=True,
        )
    with process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.terminate()
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
