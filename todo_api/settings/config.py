"""The settings: read once from options, the environment and .env, judged together, then frozen."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from platformdirs import user_data_path

from todo_api.settings import readers as values
from todo_api.settings.readers import Network

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # as a container sees its own: "quota period"


class ConfigError(Exception):
    """Settings that can't be used; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _cores() -> int:
    """The cores that this process may use: a container's quota counts, or it would start too much."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):  # no quota is "max", or no file at all
        quota, period = map(int, CPU_QUOTA.read_text().split())
        cores = min(cores or 1, -(-quota // period))
    return cores or 1


def _user_data() -> Path:
    """The folder for this account's data; not absolute where the account has no home folder."""
    with suppress(RuntimeError):
        return user_data_path("todo-api")
    return Path("todo-api")


def _setting(
    about: str,
    read: Callable[[str], Any] = str,
    default: Any = None,
    factory: Callable[[], Any] | None = None,
    *,
    shown: bool = True,
) -> Any:
    metadata = {"about": about, "read": read}
    if factory:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata, repr=shown)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting. A field's name in capitals is its variable, in lower case with hyphens its option."""

    database_url: str | None = _setting(
        "libpq URL of the database; unset: the embedded PostgreSQL",
        values.database_url,
        shown=False,
    )
    migrate_url: str | None = _setting(
        "direct connection for migrations, when DATABASE_URL is a pooler; unset: DATABASE_URL",
        values.database_url,
        shown=False,
    )
    prepared_statements: bool = _setting(
        "whether statements are prepared; false behind PgBouncer before 1.21 in transaction mode",
        values.yes_or_no,
        True,
    )
    jwt_secret: str | None = _setting(
        "signs the tokens, at least 32 bytes; required to serve with DATABASE_URL, otherwise made "
        "once and kept in DATA_DIR",
        values.secret,
        shown=False,
    )
    jwt_secret_previous: str | None = _setting(
        "still verifies tokens, and signs none: the former JWT_SECRET, until its tokens have expired",
        values.secret,
        shown=False,
    )
    cors_origins: tuple[str, ...] = _setting(
        "comma-separated origins whose pages may call the API; unset: none", values.origins, ()
    )
    host: str = _setting("address to listen on", values.host, "127.0.0.1")
    port: int = _setting(
        "port to listen on; 0 takes a free one", values.whole_number(0, 65535), 8000
    )
    data_dir: Path = _setting(
        "folder of the embedded PostgreSQL and of the made secret; unset: the user's data folder",
        values.path,
        factory=_user_data,
    )
    pg_bin: Path | None = _setting(
        "folder of PostgreSQL programs (15 or newer) to embed instead of the installed extra",
        values.path,
    )
    workers: int = _setting(
        "worker processes; unset: one for each core, at most 8",
        values.whole_number(1, 64),
        factory=lambda: min(_cores(), 8),
    )
    threads: int = _setting("threads in each worker", values.whole_number(2, 256), 16)
    request_timeout: int = _setting(
        "seconds that a client may take to send a request, or keep from taking its answer",
        values.whole_number(1, 3600),
        15,
    )
    metrics_host: str = _setting(
        "address to serve metrics on, when METRICS_PORT is set", values.host, "127.0.0.1"
    )
    metrics_port: int | None = _setting(
        "port to serve /metrics for Prometheus on; 0 takes a free one; unset: no metrics",
        values.whole_number(0, 65535),
    )
    auth_rate_limit: str = _setting(
        "attempts at signup, and at login, for each client address",
        values.rate_limit,
        "5 per minute",
    )
    ratelimit_storage_uri: str | None = _setting(
        "where attempts are counted, such as redis://127.0.0.1:6379; unset: the database",
        values.redis_uri,
        shown=False,
    )
    bcrypt_rounds: int = _setting(
        "cost of a password hash, as a power of two", values.whole_number(4, 20), 12
    )
    max_tasks_per_user: int = _setting(
        "tasks that a user may hold", values.whole_number(1, 2_000_000_000), 10_000
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "comma-separated addresses or networks of proxies whose X-Forwarded-For and -Proto count; "
        "unset: none",
        values.networks,
        (),
    )
    migrate_on_start: bool = _setting(
        "whether serve migrates the database first", values.yes_or_no, True
    )
    log_level: str = _setting(
        "DEBUG, INFO, WARNING or ERROR; INFO has a line for each request",
        values.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    log_format: str | None = _setting(
        "text or json; unset: text on a terminal, json otherwise", values.one_of("text", "json")
    )

    @property
    def hashing_slots(self) -> int:
        """How many passwords a worker hashes at a time, so that all workers together fill the cores.

        On half of its threads at most: the other half is for those who are signed in.
        """
        return max(1, min(_cores() // self.workers, self.threads // 2))


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return name.upper()


def load(
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path,
    *,
    serving: bool = True,
) -> Config:
    """Read the settings: an option wins over the environment, that over `folder`/.env; empty is unset.

    Only for `serving` is JWT_SECRET required. Raises ConfigError, which names every bad or missing
    setting.
    """
    problems: list[str] = []
    file = _read_file(folder / ".env", problems)
    found: dict[str, Any] = {}
    bad = set()
    for setting in fields(Config):
        name = variable(setting.name)
        texts = (options.get(setting.name), environ.get(name), file.get(name))
        text = next((text for text in texts if text and text.strip()), None)
        if text is None:
            continue
        try:
            found[setting.name] = setting.metadata["read"](values.one_line(text))
        except ValueError as error:
            bad.add(setting.name)
            problems.append(f"{name} {error}")
    given = found.keys() | bad
    if "database_url" in given:
        if serving and "jwt_secret" not in given:
            problems.append("JWT_SECRET is required with DATABASE_URL")
    elif "migrate_url" in given:
        problems.append("MIGRATE_URL needs DATABASE_URL")
    elif "data_dir" not in given and not _user_data().is_absolute():
        problems.append("DATA_DIR is required: this account has no home folder to put data into")
    config = Config(**found)
    problems += secrets_alike(config)
    if problems:
        raise ConfigError(problems)
    return config


def secrets_alike(config: Config) -> list[str]:
    """The complaint about a former secret that is still the one in use; nothing when all is well."""
    if config.jwt_secret is None or config.jwt_secret != config.jwt_secret_previous:
        return []
    return ["JWT_SECRET_PREVIOUS must differ from JWT_SECRET"]


def default_text(name: str) -> str:
    """A setting's default as it would be written; empty when it has none, or one of the machine's."""
    setting = next(setting for setting in fields(Config) if setting.name == name)
    if setting.default in (MISSING, None, ()):
        return ""
    return str(setting.default).lower() if setting.default is True else str(setting.default)


def _read_file(file: Path, problems: list[str]) -> dict[str, str | None]:
    """The settings in a .env file; none when there is no such file. $ has no meaning in it."""
    try:
        text = file.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # a folder .env is a virtual environment
        return {}
    except OSError as error:
        problems.append(f".env can't be read: {error.strerror}")
        return {}
    except UnicodeDecodeError:
        problems.append(".env must be UTF-8")
        return {}
    lines = list(parse_stream(StringIO(text)))
    problems += [f".env line {line.original.line} can't be read" for line in lines if line.error]
    return {line.key: line.value for line in lines if line.key is not None}
