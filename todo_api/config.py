"""The settings: read once from options, the environment and .env, judged together, then frozen."""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import limits
from dotenv import dotenv_values
from platformdirs import user_data_path

Network = IPv4Network | IPv6Network

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: a key for HS256 has at least the size of the hash
WELL_KNOWN_SECRETS = (
    "change-me",
    "change_me",
    "changeme",
    "a-string-secret-at-least-256-bits-long",
)


class ConfigError(Exception):
    """Settings that can't be used; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for choice in choices:
            if text.casefold() == choice.casefold():
                return choice
        raise ValueError(f"must be one of {', '.join(choices)}")

    return parse


def _yes_or_no(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _secret(text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) < MIN_SECRET_BYTES:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
    if any(known in text.lower() for known in WELL_KNOWN_SECRETS):
        raise ValueError("is a value from an example; make one of your own")
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = []
    for origin in filter(None, map(str.strip, text.split(","))):
        parts = urlsplit(origin)
        exact = f"{parts.scheme}://{parts.netloc}".lower()
        plain = origin.isascii() and not set(origin) & set("*\\[]()?^$|{} ") - set("[]")
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or exact != origin
            or not plain
        ):
            raise ValueError(f"{origin!r} is not an origin such as https://app.example.com")
        if "[" in origin:
            raise ValueError(f"{origin!r}: write a host name instead of an IPv6 address")
        origins.append(origin)
    return tuple(origins)


def _networks(text: str) -> tuple[Network, ...]:
    networks = []
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            networks.append(ip_network(entry))
        except ValueError:
            raise ValueError(f"{entry!r} is not an IP address or network") from None
    return tuple(networks)


def _rate_limit(text: str) -> str:
    try:
        limits.parse(text)
    except ValueError:
        raise ValueError("must read like '5 per minute'") from None
    return text


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _setting(
    about: str,
    parse: Callable[[str], Any] = str,
    default: Any = None,
    factory: Callable[[], Any] | None = None,
) -> Any:
    metadata = {"about": about, "parse": parse}
    if factory:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting. A field's name in capitals is its variable, in lower case with hyphens its option."""

    database_url: str | None = _setting("libpq URL of the database; unset: the embedded PostgreSQL")
    migrate_url: str | None = _setting(
        "direct connection for migrations, when DATABASE_URL is a pooler; unset: DATABASE_URL"
    )
    jwt_secret: str | None = _setting(
        "signs the tokens, at least 32 bytes; required with DATABASE_URL, otherwise made once "
        "and kept in DATA_DIR",
        _secret,
    )
    cors_origins: tuple[str, ...] = _setting(
        "comma-separated origins whose pages may call the API; unset: none", _origins, ()
    )
    host: str = _setting("address to listen on", default="127.0.0.1")
    port: int = _setting("port to listen on; 0 takes a free one", _whole_number(0, 65535), 8000)
    data_dir: Path = _setting(
        "folder of the embedded PostgreSQL and of the made secret; unset: the user's data folder",
        lambda text: Path(text).expanduser().absolute(),
        factory=lambda: user_data_path("todo-api"),
    )
    pg_bin: Path | None = _setting(
        "folder of PostgreSQL programs (15 or newer) to embed instead of the installed extra",
        lambda text: Path(text).expanduser().absolute(),
    )
    workers: int = _setting(
        "worker processes; unset: one for each core, at most 8",
        _whole_number(1, 64),
        factory=lambda: min(_cores(), 8),
    )
    threads: int = _setting("threads in each worker", _whole_number(2, 256), 16)
    auth_rate_limit: str = _setting(
        "attempts at signup, and at login, for each client address", _rate_limit, "5 per minute"
    )
    ratelimit_storage_uri: str | None = _setting(
        "where attempts are counted, such as redis://127.0.0.1:6379; unset: the database"
    )
    bcrypt_rounds: int = _setting(
        "cost of a password hash, as a power of two", _whole_number(4, 20), 12
    )
    max_tasks_per_user: int = _setting(
        "tasks that a user may hold", _whole_number(1, 2_000_000_000), 10_000
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "comma-separated addresses or networks of proxies whose X-Forwarded-For and -Proto count; "
        "unset: none",
        _networks,
        (),
    )
    migrate_on_start: bool = _setting("whether serve migrates the database first", _yes_or_no, True)
    log_level: str = _setting(
        "DEBUG, INFO, WARNING or ERROR; INFO has a line for each request",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    log_format: str | None = _setting(
        "text or json; unset: text on a terminal, json otherwise", _one_of("text", "json")
    )

    @property
    def hashing_slots(self) -> int:
        """How many passwords a worker hashes at a time, so that all workers together fill the cores."""
        return max(1, _cores() // self.workers)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return name.upper()


def load(options: Mapping[str, str | None], environ: Mapping[str, str], folder: Path) -> Config:
    """Read the settings: an option wins over the environment, that over `folder`/.env; empty is unset.

    Raises ConfigError, which names every bad or missing setting.
    """
    file = dotenv_values(folder / ".env", interpolate=False)
    values: dict[str, Any] = {}
    problems = []
    for setting in fields(Config):
        name = variable(setting.name)
        text = options.get(setting.name) or environ.get(name) or file.get(name)
        if not text:
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            problems.append(f"{name} {error}")
    bad_secret = any(line.startswith("JWT_SECRET") for line in problems)
    if "database_url" in values and "jwt_secret" not in values and not bad_secret:
        problems.append("JWT_SECRET is required with DATABASE_URL")
    if "migrate_url" in values and "database_url" not in values:
        problems.append("MIGRATE_URL needs DATABASE_URL")
    if problems:
        raise ConfigError(problems)
    return Config(**values)


def default_text(name: str) -> str:
    """A setting's default, for people."""
    setting = next(setting for setting in fields(Config) if setting.name == name)
    value = setting.default
    return "" if value is MISSING or value in (None, ()) else str(value)
