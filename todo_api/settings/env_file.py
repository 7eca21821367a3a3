"""Reads a .env file, unless somebody else can have written it: it names programs to run, and databases."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import parse_stream

_MOST_BYTES = 64 * 1024
_MOST_LINKS = 40  # as the kernel


class EnvFileError(Exception):
    """The file can't be used; the message says why, and shows nothing of it."""


class Line(NamedTuple):
    """A key with its value, which is None without an equal sign, and the number of its line."""

    key: str
    value: str | None
    number: int


class EnvFile(NamedTuple):
    """What a file has; `unread` are the numbers of the lines that can't be read."""

    lines: tuple[Line, ...] = ()
    unread: tuple[int, ...] = ()
    others_can_read: bool = False


def read_env_file(path: Path) -> EnvFile:
    """The contents of a .env file; nothing if there is none. $ has no special meaning in it.

    Raises EnvFileError.
    """
    try:
        # O_NONBLOCK: to open a FIFO would wait for somebody who writes
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return EnvFile()
    except OSError as error:
        raise EnvFileError(f"can't be read: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):  # may be a virtual environment
            return EnvFile()
        if not stat.S_ISREG(found.st_mode):
            raise EnvFileError("must be a file")
        _refuse_what_others_can_change(path, found)
        can_be_read = _others_can_read(path, found)
        # from what was opened and looked at, whatever has its name by now
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise EnvFileError(f"can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    return _parsed(content, others_can_read=can_be_read)


def _parsed(content: bytes, *, others_can_read: bool) -> EnvFile:
    if len(content) > _MOST_BYTES:
        raise EnvFileError(f"has more than {_MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EnvFileError("must be UTF-8") from None
    parsed = list(parse_stream(StringIO(text)))
    return EnvFile(
        tuple(Line(one.key, one.value, one.original.line) for one in parsed if one.key is not None),
        tuple(one.original.line for one in parsed if one.error),
        others_can_read,
    )


def _refuse_what_others_can_change(path: Path, found: os.stat_result) -> None:
    """Raise EnvFileError if another account can have chosen what the file says, or which file it is."""
    names = [path, *_leads_to(path)]
    # Of every link on the way too: it may be somebody's choice of a file.
    if _is_of_another(found) or any(_is_of_another(name.lstat()) for name in names):
        raise EnvFileError(
            "belongs to another account, which could choose the settings. If they are yours, make it your "
            "own with chown; otherwise remove it, or start elsewhere"
        )
    if _others_can_write(path, found):
        raise EnvFileError("can be changed by other accounts: chmod go-w .env")
    for folder in {name.parent for name in names}:
        about = folder.stat()
        # in a folder such as /tmp only its owner can remove a file
        shared = _others_can_write(folder, about) and not about.st_mode & stat.S_ISVTX
        if shared or _is_of_another(about):
            raise EnvFileError(
                "is in a folder in which other accounts can put another file in its place: start in a "
                "folder of your own"
            )


def _leads_to(path: Path) -> Iterator[Path]:
    """What a link leads to, link by link; nothing if it is none."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()
        yield path
    raise EnvFileError("is a link to too many links")


def _is_of_another(found: os.stat_result) -> bool:
    return found.st_uid not in (os.geteuid(), 0)


def _others_can_write(path: Path, found: os.stat_result) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return True
    mine = _is_private(found.st_gid, found.st_uid) and not _has_list(path)
    return bool(found.st_mode & stat.S_IWGRP) and not mine


def _is_private(group: int, owner: int) -> bool:
    """Whether a group is its owner's alone, as most systems make one for each account (umask 002)."""
    try:
        account, found = pwd.getpwuid(owner), grp.getgrgid(group)
    except KeyError:  # such as in a container, whose accounts have numbers only
        return False
    return found.gr_name == account.pw_name and set(found.gr_mem) <= {account.pw_name}


def _has_list(path: Path) -> bool:
    """Whether a list (ACL) names more accounts; then the bits of the group are what it allows at most."""
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except (OSError, AttributeError):  # there is none; no such lists here
        return False


def _others_can_read(path: Path, found: os.stat_result) -> bool:
    folder = path.parent.stat().st_mode
    if found.st_mode & stat.S_IROTH and folder & stat.S_IXOTH:
        return True
    if not (found.st_mode & stat.S_IRGRP and folder & (stat.S_IXGRP | stat.S_IXOTH)):
        return False
    # The group may be that of the account that serves, which has to read it.
    own = any(_is_private(found.st_gid, owner) for owner in (found.st_uid, os.geteuid()))
    return not own or _has_list(path)
