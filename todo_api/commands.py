"""The commands of todo-api; each returns its exit status."""

import argparse
import gc
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from todo_api.settings.config import Config
from todo_api.settings.load import ConfigError, read, secrets_alike

if TYPE_CHECKING:
    from todo_api.observability.metrics import Metrics

_OK, _FAILED = 0, 1

logger = logging.getLogger("todo_api.cli")


class Urls(NamedTuple):
    """One database for two logins, which may be the same: the one that serves, and the owner of the tables.

    The owner migrates, and runs the operator's commands. `folder` is that of an embedded database.
    """

    service: str
    owner: str
    folder: Path | None = None


@contextmanager
def importing() -> Iterator[None]:
    """Import without looking for garbage: what is imported stays, and no worker looks through it either."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def serve(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """Serve the API on the database until a signal."""
    with importing():
        from todo_api.app import create_app, entrance_of
        from todo_api.check.of_settings import unwise
        from todo_api.server.entrance import Entrance
        from todo_api.server.serve import serve
        from todo_api.settings.made_secret import made_secret
        from todo_api.upkeep.asking import place_of
        from todo_api.upkeep.database_check import check_database
        from todo_api.upkeep.findings import warnings_of
        from todo_api.upkeep.housekeeping import Housekeeper
        from todo_api.upkeep.migrate import migrate
        from todo_api.upkeep.narrow_login import make_narrow_login
        from todo_api.upkeep.role_check import check_role

    # A secret is made only for an embedded database: with DATABASE_URL, JWT_SECRET is required.
    secret = config.jwt_secret or made_secret(config.data_dir)
    config = replace(config, database_url=urls.service, jwt_secret=secret)
    if alike := secrets_alike(config):
        raise ConfigError(alike)
    if config.migrate_on_start:
        migrate(urls.owner, login=_login(urls))
    if urls.folder:
        make_narrow_login(urls.owner)
    check_database(urls.service)
    check_role(urls.service)
    if not urls.folder:  # of an embedded one the `psql` line has told it
        # By the login that serves: the owner's may not be let in from this machine.
        logger.info("database: %s", place_of(urls.service))
    for line in warnings_of(unwise(config, os.environ)):
        logger.warning("%s", line)

    def ready(url: str) -> None:
        with suppress(OSError):  # nobody reads it, or the disk is full
            print(f"Todo API on {url} (documentation: {url}/docs). Ctrl-C stops it.", flush=True)  # noqa: T201

    with _metrics(config) as metrics:

        def application() -> Entrance:
            app = create_app(config, metrics)
            removed = metrics.count_removed if metrics is not None else None
            Housekeeper(app.extensions["database"], config.events_days, removed).start()
            return entrance_of(app, config)

        return serve(
            application,
            host=config.host,
            port=config.port,
            workers=config.workers,
            threads=config.threads,
            request_timeout=config.request_timeout,
            core_pinning=config.core_pinning,
            ready=ready,
            metrics=metrics,
        )


def migrate(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    from todo_api.upkeep.database_check import check_database
    from todo_api.upkeep.migrate import migrate

    applied = migrate(urls.owner, login=_login(urls))
    check_database(urls.owner)
    _say(f"applied: {', '.join(applied) or 'nothing, the schema is up to date'}", urls)
    return _OK


def rollback(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """Roll the newest migrations back, or say which they are."""
    from todo_api.upkeep.migrate import newest, rollback

    if given.yes:
        _say(f"rolled back: {', '.join(rollback(urls.owner, given.count)) or 'nothing'}", urls)
        return _OK
    found = ", ".join(newest(urls.owner, given.count))
    if not found:
        _say("nothing to roll back", urls)
        return _OK
    _say(f"would roll back: {found}\nIts data would be lost. Add --yes to do it.", urls)
    return _OK


def end_sessions(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """End all sessions, or those of one account."""
    from todo_api.upkeep.end_sessions import end_sessions

    sessions, users = end_sessions(urls.owner, given.user)
    _say(f"ended sessions: {sessions}, of users: {users}", urls)
    return _OK


def after_restore(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """Let clients that keep a copy start over."""
    from todo_api.operator.after_restore import after_restore

    _say(f"copies that start over: those of {after_restore(urls.owner)} users", urls)
    return _OK


def upgrade_data(config: Config, given: argparse.Namespace) -> int:
    """Move the embedded database to the programs' version of PostgreSQL."""
    from todo_api.embedded.upgrade import upgrade

    if config.database_url:
        raise ConfigError(
            ["DATABASE_URL must be unset: only an embedded database can be upgraded here"]
        )
    kept = upgrade(config.data_dir, config.pg_bin, given.old_pg_bin)
    done = (
        f"upgraded; remove the old database when all is well: {kept}" if kept else "nothing to do"
    )
    print(f"{done}\ndatabase: embedded, in {config.data_dir}")  # noqa: T201
    return _OK


def prune(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """Remove what has expired, at once."""
    from todo_api.upkeep.housekeeping import in_words, prune

    _say(f"removed {in_words(prune(urls.owner, config.events_days))}", urls)
    return _OK


def users(config: Config, urls: Urls, given: argparse.Namespace) -> int:
    """Look after accounts."""
    from todo_api.operator.users import users

    return users(given, urls.owner, urls.folder, config.bcrypt_rounds, config.signup)


def check(given: argparse.Namespace) -> int:
    """Say what is well and what is not; bad settings are a part of that."""
    from todo_api.check.command import run
    from todo_api.observability import logs

    notes: list[str] = []
    settings = read(vars(given), os.environ, Path(), warn=notes.append)
    logs.setup("ERROR", settings.config.log_format)  # what is found is told once
    opened = partial(database, settings.config, may_make=False)
    return run(settings, notes, opened, as_json=given.json)


@contextmanager
def database(config: Config, *, may_make: bool) -> Iterator[Urls]:
    """The configured database, or an embedded one that runs until the end of the block."""
    if config.database_url:
        yield Urls(config.database_url, config.migrate_url or config.database_url)
        return
    from todo_api.embedded.running import embedded_postgres, serving_url

    # For what the URL leaves open, libpq reads the environment: PGHOSTADDR would lead to another server.
    for name in [name for name in os.environ if re.match("PG[A-Z]", name)]:
        del os.environ[name]
    wanted = config.workers * config.connections
    with embedded_postgres(
        config.data_dir, config.pg_bin, may_make=may_make, connections=wanted
    ) as url:
        if (
            may_make
        ):  # another command says in its result where it worked, and has one line for an error
            logger.info("embedded PostgreSQL: psql '%s'", url)
        yield Urls(serving_url(url), url, config.data_dir)


def _login(urls: Urls) -> str | None:
    """The login that serves, where it is known to be a login of its own."""
    from todo_api.upkeep.asking import login_of

    return login_of(urls.service) if urls.service != urls.owner and not urls.folder else None


def _place(urls: Urls) -> str:
    """Which database it is."""
    from todo_api.upkeep.asking import place_of

    return f"embedded, in {urls.folder}" if urls.folder else place_of(urls.owner)


def _say(result: str, urls: Urls) -> None:
    """Print what a command has done, and where."""
    print(f"{result}\ndatabase: {_place(urls)}")  # noqa: T201


@contextmanager
def _metrics(config: Config) -> Iterator["Metrics | None"]:
    """The counters for Prometheus, until the end of the block; None unless METRICS_PORT is set."""
    if config.metrics_port is None:
        yield None
        return
    from todo_api.observability.metrics import Metrics
    from todo_api.processes.supervisor import ServerError

    try:
        metrics = Metrics(config.metrics_host, config.metrics_port)
    except OSError as error:
        raise ServerError(f"METRICS_PORT needs room for its numbers: {error.strerror}") from error
    with metrics:
        yield metrics
