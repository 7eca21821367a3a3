"""The JWT_SECRET that the service makes for itself beside an embedded PostgreSQL."""

import contextlib
import os
import secrets
from pathlib import Path

_BYTES = 48


def made_secret(data_dir: Path) -> str:
    """The secret kept in `data_dir`, made at the first call: two services on one folder get the same one."""
    kept = data_dir / "jwt_secret"
    if not kept.exists():
        fresh = data_dir / f"jwt_secret.{os.getpid()}"
        with open(fresh, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, kept)  # the first one wins, and nobody ever sees half a file
        fresh.unlink()
    return kept.read_text()
