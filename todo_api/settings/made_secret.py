"""The JWT_SECRET that the service makes for itself when its PostgreSQL is embedded."""

import contextlib
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from todo_api.settings.readers import one_line, secret

_FILE = "jwt_secret"
_BYTES = 48
_MAX_BYTES = 4096

logger = logging.getLogger("todo_api.made_secret")


class SecretError(Exception):
    """The kept secret can't be used; the message is for the operator."""


def made_secret(data_dir: Path) -> str:
    """The secret kept in `data_dir`, made at the first call. Services on one folder share the secret.

    Raises SecretError for a secret that is too short, or that another account could know or choose.
    """
    kept = data_dir / _FILE
    with _explained(kept):
        if not kept.exists():
            _make(kept)
        return _read(kept, shut=True)[0]


def kept_secret(data_dir: Path) -> tuple[str, bool] | None:
    """The secret, and whether other accounts can read it; None if none was made yet. Changes nothing.

    Raises SecretError as made_secret does.
    """
    kept = data_dir / _FILE
    with _explained(kept):
        return _read(kept, shut=False) if kept.exists() else None


@contextlib.contextmanager
def _explained(kept: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SecretError(f"{kept} can't be used: {error.strerror}") from error
    except ValueError as error:  # also a UnicodeDecodeError
        wrong = "must be UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise SecretError(
            f"{kept} {wrong}. Restore it, or remove it to have one made: then all users have to log in again"
        ) from error


def _make(kept: Path) -> None:
    descriptor, fresh = tempfile.mkstemp(prefix=".jwt_secret-", dir=kept.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_urlsafe(_BYTES)}\n")
            file.flush()
            if os.geteuid() == 0:  # the folder's owner has to read it, too
                above = kept.parent.stat()
                os.fchown(descriptor, above.st_uid, above.st_gid)
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, kept)  # the first service wins, and no service ever reads half a file
    finally:
        Path(fresh).unlink()
    folder = os.open(kept.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # or a power cut could lose the secret and so end all sessions
    finally:
        os.close(folder)


def _read(kept: Path, *, shut: bool) -> tuple[str, bool]:
    # O_NOFOLLOW: the folder's owner must not make root read another file.
    with os.fdopen(os.open(kept, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("must be a file")
        if found.st_uid not in (os.geteuid(), kept.parent.stat().st_uid):
            raise ValueError("belongs to another account, which could know it")
        is_open = bool(found.st_mode & 0o077)
        if is_open and shut:
            os.fchmod(file.fileno(), 0o600)
            logger.warning(
                "%s could be read by other accounts; now it can't. If another account may have read "
                "it, remove the file and restart: all users have to log in again then",
                kept,
            )
        return secret(one_line(file.read(_MAX_BYTES).decode().strip())), is_open
