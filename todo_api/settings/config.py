"""The settings of the service, each with its reader, its default and its description."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from todo_api.settings import readers
from todo_api.settings.cores import usable_cores
from todo_api.settings.readers import Network


def user_data() -> Path:
    """The folder for this account's data; a relative path if the account has no home folder."""
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
    """Every setting. For the field data_dir, DATA_DIR is the variable and --data-dir the option."""

    database_url: str | None = _setting(
        "libpq URL of the database; unset: the embedded PostgreSQL",
        readers.database_url,
        shown=False,
    )
    migrate_url: str | None = _setting(
        "direct connection as the owner, for migrations and the operator's commands; unset: DATABASE_URL",
        readers.database_url,
        shown=False,
    )
    prepared_statements: bool = _setting(
        "whether statements are prepared; false behind PgBouncer before 1.21 in transaction mode",
        readers.yes_or_no,
        True,
    )
    jwt_secret: str | None = _setting(
        "signs the tokens, at least 32 bytes; required to serve with DATABASE_URL, otherwise made "
        "once and kept in DATA_DIR",
        readers.secret,
        shown=False,
    )
    jwt_secret_previous: str | None = _setting(
        "still verifies tokens, and signs none: the former JWT_SECRET, until its tokens have expired",
        readers.secret,
        shown=False,
    )
    cors_origins: tuple[str, ...] = _setting(
        "comma-separated origins whose pages may call the API; unset: none", readers.origins, ()
    )
    cors_headers: tuple[str, ...] = _setting(
        "comma-separated headers that pages of CORS_ORIGINS may send beside the API's own; those of tracers "
        "unless set",
        readers.header_names,
        ("traceparent", "tracestate", "baggage", "sentry-trace"),
    )
    host: str = _setting("address to listen on", readers.host, "127.0.0.1")
    port: int = _setting(
        "port to listen on; 0 takes a free one", readers.whole_number(0, 65535), 8000
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "comma-separated hosts that requests may be for, * for any; unset: localhost and other "
        "loopback names when HOST is one, otherwise any",
        readers.hosts,
        (),
    )
    data_dir: Path = _setting(
        "folder of the embedded PostgreSQL and of the made secret; unset: the user's data folder",
        readers.path,
        factory=user_data,
    )
    pg_bin: Path | None = _setting(
        "folder of PostgreSQL programs (15 or newer) to embed instead of the installed extra",
        readers.path,
    )
    workers: int = _setting(
        "worker processes; unset: one for each core, at most 8",
        readers.whole_number(1, 64),
        factory=lambda: min(usable_cores(), 8),
    )
    threads: int = _setting("threads in each worker", readers.whole_number(2, 256), 16)
    core_pinning: bool = _setting(
        "whether each worker keeps its threads on one core at a time, which is faster",
        readers.yes_or_no,
        True,
    )
    request_timeout: int = _setting(
        "seconds that a client may take to send a request, or leave its answer unread",
        readers.whole_number(1, 3600),
        15,
    )
    metrics_host: str = _setting(
        "address to serve metrics on, when METRICS_PORT is set", readers.host, "127.0.0.1"
    )
    metrics_port: int | None = _setting(
        "port to serve /metrics for Prometheus on; 0 takes a free one; unset: no metrics",
        readers.whole_number(0, 65535),
    )
    auth_rate_limit: str = _setting(
        "attempts at signup, at login, at a reset, and at each call that asks for the current password, for "
        "each client address",
        readers.rate_limit,
        "5 per minute",
    )
    account_guess_limit: str = _setting(
        "wrong passwords for each email, and for each network that its account was signed in to from",
        readers.rate_limit,
        "20 per hour",
    )
    ratelimit_storage_uri: str | None = _setting(
        "where attempts and guesses are counted, such as redis://127.0.0.1:6379; unset: the database",
        readers.redis_uri,
        shown=False,
    )
    bcrypt_rounds: int = _setting(
        "cost of a password hash, as a power of two", readers.whole_number(4, 20), 12
    )
    signup: str = _setting(
        "who may sign up: open (anybody), invite (with an invite of the operator's) or closed (nobody)",
        readers.one_of("open", "invite", "closed"),
        "open",
    )
    max_tasks_per_user: int = _setting(
        "tasks that a user may hold", readers.whole_number(1, 2_000_000_000), 10_000
    )
    max_text_per_user: int = _setting(
        "bytes of text that a user's tasks may hold",
        readers.whole_number(1, 2_000_000_000),
        10_485_760,
    )
    events_days: int = _setting(
        "days that rows of auth_events are kept; 0: for ever", readers.whole_number(0, 36_500), 90
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "comma-separated addresses or networks of proxies whose X-Forwarded-For, -Proto and -Prefix "
        "count; unset: none",
        readers.networks,
        (),
    )
    migrate_on_start: bool = _setting(
        "whether serve migrates the database first", readers.yes_or_no, True
    )
    log_level: str = _setting(
        "DEBUG, INFO, WARNING or ERROR; INFO has a line for each request",
        readers.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    log_format: str | None = _setting(
        "text or json; unset: text on a terminal, json otherwise", readers.one_of("text", "json")
    )

    @property
    def connections(self) -> int:
        """How many connections to the database a worker has: a request needs one for a part of its time."""
        return max(2, self.threads // 2)

    @property
    def hashing_slots(self) -> int:
        """How many passwords a worker hashes at a time, so that all workers together use all cores.

        At most half of its threads: the other half serves signed-in users.
        """
        return max(1, min(usable_cores() // self.workers, self.threads // 2))


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return name.upper()


def default_text(name: str) -> str:
    """A setting's default as text; empty when it has none, or when it depends on the machine."""
    setting = next(setting for setting in fields(Config) if setting.name == name)
    if setting.default in (MISSING, None, ()):
        return ""
    if isinstance(setting.default, tuple):
        return ",".join(setting.default)
    return str(setting.default).lower() if setting.default is True else str(setting.default)
