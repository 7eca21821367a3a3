"""What this machine has to have: room, the made secret, ports, a Redis, and the time for a hash."""

import errno
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import replace

import bcrypt

from todo_api.auth.passwords import MAX_WAIT_S
from todo_api.check.of_settings import weakness
from todo_api.settings.config import Config
from todo_api.settings.load import secrets_alike
from todo_api.settings.made_secret import SecretError, kept_secret
from todo_api.upkeep.findings import Finding, error, ok, warning

_MEASURED_ROUNDS = 8  # some 15 ms; each round more takes twice as long
LEAST_FREE = 1024**3  # bytes
_REDIS_S = 3


def folder(config: Config) -> Iterator[Finding]:
    """The folder of an embedded database: whose it is, and how much room is left."""
    try:
        found = config.data_dir.stat()
        free = shutil.disk_usage(config.data_dir).free
    except FileNotFoundError:
        return  # there is no database either, which the next check tells
    except OSError as failure:
        told = f"DATA_DIR {config.data_dir} can't be used: {failure.strerror}"
        yield error("data-folder", told, "give it to the account that serves")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield error(
            "data-folder", f"DATA_DIR {config.data_dir} is no folder", "set another DATA_DIR"
        )
    elif found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        told = f"other accounts may write in DATA_DIR {config.data_dir}"
        yield warning("data-folder", told, f"chmod go-w {config.data_dir}")
    else:
        yield ok("data-folder", f"{config.data_dir}, which no other account may change")
    if free < LEAST_FREE:
        told = f"{in_bytes(free)} are free where DATA_DIR is"
        yield warning("disk", told, "make room: without any, every write is refused")
    else:
        yield ok("disk", f"{in_bytes(free)} are free where DATA_DIR is")


def secret(config: Config) -> Iterator[Finding]:
    """The secret that signs the tokens."""
    if config.jwt_secret is not None:
        yield ok("secret", f"JWT_SECRET has {len(config.jwt_secret.encode())} bytes")
        return
    if config.database_url:
        return  # it is missing, which reading the settings has told
    try:
        kept = kept_secret(config.data_dir)
    except SecretError as failure:
        message, _, hint = str(failure).partition(". ")
        yield error("secret", message, hint or "give it to the account that serves")
        return
    if kept is None:
        yield ok("secret", f"{config.data_dir / 'jwt_secret'} is made at the first start")
        return
    made, is_open = kept
    if is_open:
        yield warning(
            "secret",
            f"{config.data_dir / 'jwt_secret'} can be read by other accounts",
            "chmod 600; if another account may have read it, remove it and restart: all users log in again",
        )
    else:
        yield ok("secret", f"made for this folder, {len(made.encode())} bytes")
    yield from weakness("the made secret", made)
    for problem in secrets_alike(replace(config, jwt_secret=made)):
        yield error("secret", problem, "take JWT_SECRET_PREVIOUS away")


def ports(config: Config) -> Iterator[Finding]:
    """Whether the service could listen where it is told to, unless somebody listens there already."""
    yield _port("port", "PORT", config.host, config.port)
    if config.metrics_port is not None:
        yield _port("metrics-port", "METRICS_PORT", config.metrics_host, config.metrics_port)


def rate_limit_storage(config: Config) -> Iterator[Finding]:
    """Whether attempts can be counted."""
    if config.ratelimit_storage_uri is None:
        yield ok("rate-limit", f"{config.auth_rate_limit}, counted in the database")
        return
    from limits.storage import storage_from_string

    options = {"socket_timeout": _REDIS_S, "socket_connect_timeout": _REDIS_S}
    try:
        answers = storage_from_string(config.ratelimit_storage_uri, **options).check()
    except Exception:  # noqa: BLE001 (its words may hold the password)
        answers = False
    if answers:
        yield ok("rate-limit", f"{config.auth_rate_limit}, counted in Redis, which answers")
    else:
        yield error(
            "rate-limit",
            "RATELIMIT_STORAGE_URI names a Redis that does not answer: nobody can sign up or log in",
            "start it, or correct the address and the password",
        )


def hashing(config: Config) -> Iterator[Finding]:
    """How long a password's hash takes here."""
    salt = bcrypt.gensalt(_MEASURED_ROUNDS)
    took_s = min(_timed(salt) for _ in range(3)) * 2.0 ** (config.bcrypt_rounds - _MEASURED_ROUNDS)
    told = f"a hash takes {took_s * 1000:.0f} ms here (BCRYPT_ROUNDS is {config.bcrypt_rounds})"
    if took_s > MAX_WAIT_S:
        hint = f"lower BCRYPT_ROUNDS: logins that would wait {MAX_WAIT_S:.0f} s are refused"
        yield warning("passwords", told, hint)
    else:
        yield ok("passwords", told)


def in_bytes(number: float) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"


def _timed(salt: bytes) -> float:
    began = time.thread_time()
    bcrypt.hashpw(b"a password", salt)
    return time.thread_time() - began


def _port(name: str, setting: str, host: str, port: int) -> Finding:
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(address)  # without listening: nobody can connect to it
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            return ok(name, f"{shown} is in use: by the service, if it runs")
        return error(
            name, f"cannot listen on {shown}: {failure.strerror}", f"change {setting} or its host"
        )
    return ok(name, f"{shown} is free")
