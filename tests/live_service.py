"""The service as an operator starts it: `todo-api serve` on a database of the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60


@contextmanager
def live_service(database_url: str, folder: Path, **more: str) -> Iterator[str]:
    """Serve on a free port until the block ends; its URL. The log goes to a file in `folder`."""
    settings = {
        "DATABASE_URL": database_url,
        "JWT_SECRET": "a secret that only the tests know, 0123456789",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "WORKERS": "1",
        "BCRYPT_ROUNDS": "4",
        "AUTH_RATE_LIMIT": "1000 per minute",
        **more,
    }
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "todo_api", "serve"],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,  # where no .env is
            env={**os.environ, **settings},
            text=True,
        )
    with process:
        assert process.stdout is not None
        try:
            announced = process.stdout.readline()
            assert announced.startswith("Todo API on http"), (folder / "service.log").read_text()
            yield announced.split()[3]
        finally:
            process.terminate()
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
