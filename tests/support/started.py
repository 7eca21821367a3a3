"""A server as a process, which says in its first line that it is ready."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60


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
