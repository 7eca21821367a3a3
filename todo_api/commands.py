"""The commands of todo-api; each returns its exit status."""

import argparse
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from todo_api.settings.config import Config
from todo_api.settings.load import ConfigError, secrets_alike

if TYPE_CHECKING:
    from todo_api.observability.metrics import Metrics

_OK, _FAILED = 0, 1

logger = logging.getLogger("todo_api.cli")


def serve(config: Config, url: str, given: argparse.Namespace) -> int:
    """Serve the API on the database at `url` until a signal."""
    from todo_api.app import create_app
    from todo_api.server.forwarded import Forwarded
    from todo_api.server.serve import serve
    from todo_api.settings.made_secret import made_secret
    from todo_api.upkeep.migrate import migrate
    from todo_api.upkeep.role_check import check_role

    # A secret is made only for an embedded database: with DATABASE_URL, JWT_SECRET is required.
    secret = config.jwt_secret or made_secret(config.data_dir)
    config = replace(config, database_url=url, jwt_secret=secret)
    if alike := secrets_alike(config):
        raise ConfigError(alike)
    if config.migrate_on_start:
        migrate(config.migrate_url or url)
    check_role(url)
    if os.environ.get("SPACE_ID") and not config.trusted_proxies:
        logger.warning(
            "on Hugging Face Spaces all clients share one rate limit until TRUSTED_PROXIES is set"
        )

    def ready(url: str) -> None:
        print(f"Todo API on {url} (documentation: {url}/docs). Ctrl-C stops it.", flush=True)  # noqa: T201

    with _metrics(config) as metrics:
        return serve(
            lambda: Forwarded(create_app(config, metrics), config.trusted_proxies),
            host=config.host,
            port=config.port,
            workers=config.workers,
            threads=config.threads,
            request_timeout=config.request_timeout,
            core_pinning=config.core_pinning,
            ready=ready,
            metrics=metrics,
        )


def migrate(config: Config, url: str, given: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    from todo_api.upkeep.migrate import migrate

    applied = migrate(config.migrate_url or url)
    print(f"applied: {', '.join(applied) or 'nothing, the schema is up to date'}")  # noqa: T201
    return _OK


def rollback(config: Config, url: str, given: argparse.Namespace) -> int:
    """Roll the newest migrations back, or say which they are."""
    from todo_api.upkeep.migrate import newest, rollback

    url = config.migrate_url or url
    if given.yes:
        print(f"rolled back: {', '.join(rollback(url, given.count)) or 'nothing'}")  # noqa: T201
        return _OK
    found = ", ".join(newest(url, given.count))
    if not found:
        print("nothing to roll back")  # noqa: T201
        return _OK
    print(f"would roll back: {found}\nIts data would be lost. Add --yes to do it.")  # noqa: T201
    return _OK


def end_sessions(config: Config, url: str, given: argparse.Namespace) -> int:
    """End all sessions, or those of one account."""
    from todo_api.upkeep.end_sessions import end_sessions

    sessions, users = end_sessions(config.migrate_url or url, given.user)
    print(f"ended sessions: {sessions}, of users: {users}")  # noqa: T201
    return _OK


@contextmanager
def database(config: Config) -> Iterator[str]:
    """The URL of the configured database, or of an embedded one that runs until the end of the block."""
    if config.database_url:
        yield config.database_url
        return
    from todo_api.embedded.running import embedded_postgres

    # For what the URL leaves open, libpq reads the environment: PGHOSTADDR would lead to another server.
    for name in [name for name in os.environ if re.match("PG[A-Z]", name)]:
        del os.environ[name]
    with embedded_postgres(config.data_dir, config.pg_bin) as url:
        logger.info("embedded PostgreSQL: psql '%s'", url)
        yield url


@contextmanager
def _metrics(config: Config) -> Iterator["Metrics | None"]:
    """The counters for Prometheus, until the end of the block; None unless METRICS_PORT is set."""
    if config.metrics_port is None:
        yield None
        return
    from todo_api.observability.metrics import Metrics
    from todo_api.server.supervisor import ServerError

    try:
        metrics = Metrics(config.metrics_host, config.metrics_port)
    except OSError as error:
        raise ServerError(f"METRICS_PORT needs room for its numbers: {error.strerror}") from error
    with metrics:
        yield metrics
