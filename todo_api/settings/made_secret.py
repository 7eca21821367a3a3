"""The JWT_SECRET that the service makes for itself beside an embedded PostgreSQL."""

import contextlib
import logging
import os
import secrets
import stat
import tempfile
from pathlib import Path

from todo_api.settings.readers import one_line, secret

_BYTES = 48
_MAX_BYTES = 4096

logger = logging.getLogger("todo_api.made_secret")


class SecretError(Exception):
    """The kept secret can't be used; the message is for the operator."""


def made_secret(data_dir: Path) -> str:
    """The secret kept in `data_dir`, made at the first call: services on one folder share one.

    Raises SecretError, rather than sign with a secret that is cut short or that others could choose.
    """
    kept = data_dir / "jwt_secret"
    try:
        if not kept.exists():
            _make(kept)
        return _read(kept)
    except OSError as error:
        raise SecretError(f"{kept} can't be used: {error.strerror}") from error
    except ValueError as error:  # UnicodeDecodeError is one
        wrong = "must be UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise SecretError(
            f"{kept} {wrong}. Restore it, or remove it to have one made: then all have to log in again"
        ) from error


def _make(kept: Path) -> None:
    descriptor, fresh = tempfile.mkstemp(prefix=".jwt_secret-", dir=kept.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_urlsafe(_BYTES)}\n")
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, kept)  # the first service wins, and no service ever reads half a file
    finally:
        Path(fresh).unlink()
    folder = os.open(kept.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # or a power cut would end all sessions
    finally:
        os.close(folder)


def _read(kept: Path) -> str:
    # O_NOFOLLOW: the folder's owner must not make root read another file.
    with os.fdopen(os.open(kept, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("must be a file")
        if found.st_uid not in (os.geteuid(), kept.parent.stat().st_uid):
            raise ValueError("belongs to another account, which could know it")
        if found.st_mode & 0o077:
            os.fchmod(file.fileno(), 0o600)
            logger.warning(
                "%s could be read by other accounts and is closed to them now. If one may have "
                "read it, remove it and start again: all have to log in again then",
                kept,
            )
        return secret(one_line(file.read(_MAX_BYTES).decode().strip()))
