"""The command todo-api: serve, migrate, rollback, end-sessions."""

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from todo_api.settings.config import (
    Config,
    ConfigError,
    default_text,
    load,
    secrets_alike,
    variable,
)

if TYPE_CHECKING:
    from todo_api.observability.metrics import Metrics

logger = logging.getLogger(__name__)

_OK, _FAILED, _BAD_SETTINGS, _BY_SIGNAL = 0, 1, 2, 128


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        config = load(vars(given), os.environ, Path.cwd(), serving=given.run is _serve)
        return _run(config, given)
    except ConfigError as error:
        _complain("the settings can't be used:", *(f"  {problem}" for problem in error.problems))
        return _BAD_SETTINGS
    except KeyboardInterrupt:
        return _BY_SIGNAL + signal.SIGINT


def _run(config: Config, given: argparse.Namespace) -> int:
    # Imported only now, so that --help and bad settings answer at once, and Ctrl-C before that.
    from todo_api.embedded.running import EmbeddedError
    from todo_api.observability import logs
    from todo_api.server.serve import ServerError
    from todo_api.settings.made_secret import SecretError
    from todo_api.upkeep.end_sessions import EndError
    from todo_api.upkeep.migration_files import MigrationError
    from todo_api.upkeep.role_check import RoleError

    logs.setup(config.log_level, config.log_format)
    try:
        with _database(config) as url:
            return int(given.run(config, url, given))
    except EmbeddedError as error:
        _complain(f"DATABASE_URL is not set, so PostgreSQL has to be embedded: {error}")
        return _FAILED
    except (SecretError, MigrationError, RoleError, ServerError, EndError) as error:
        _complain(str(error))
        return _FAILED


def _leave(number: int, frame: object) -> NoReturn:
    """End at SIGTERM as at Ctrl-C: process 1 of a container would otherwise not hear it at all."""
    raise SystemExit(_BY_SIGNAL + number)


def _serve(config: Config, url: str, given: argparse.Namespace) -> int:
    from todo_api.app import create_app
    from todo_api.server import serve
    from todo_api.server.forwarded import Forwarded
    from todo_api.settings.made_secret import made_secret
    from todo_api.upkeep.migrate import migrate
    from todo_api.upkeep.role_check import check_role

    # Made only beside an embedded database: where DATABASE_URL is set, JWT_SECRET is required.
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
            ready=ready,
            metrics=metrics,
        )


@contextmanager
def _metrics(config: Config) -> Iterator["Metrics | None"]:
    """What counts for Prometheus, until the end of the block; nothing unless METRICS_PORT is set."""
    if config.metrics_port is None:
        yield None
        return
    from todo_api.observability.metrics import Metrics
    from todo_api.server.serve import ServerError

    try:
        metrics = Metrics(config.metrics_host, config.metrics_port)
    except OSError as error:
        raise ServerError(f"METRICS_PORT needs room for its numbers: {error.strerror}") from error
    with metrics:
        yield metrics


def _migrate(config: Config, url: str, given: argparse.Namespace) -> int:
    from todo_api.upkeep.migrate import migrate

    applied = migrate(config.migrate_url or url)
    print(f"applied: {', '.join(applied) or 'nothing, the schema is up to date'}")  # noqa: T201
    return _OK


def _rollback(config: Config, url: str, given: argparse.Namespace) -> int:
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
    return _FAILED  # so that a script does not go on as if it were done


def _end_sessions(config: Config, url: str, given: argparse.Namespace) -> int:
    from todo_api.upkeep.end_sessions import end_sessions

    sessions, users = end_sessions(config.migrate_url or url, given.user)
    print(f"ended sessions: {sessions}, of users: {users}")  # noqa: T201
    return _OK


@contextmanager
def _database(config: Config) -> Iterator[str]:
    """The URL of the database: of the one that the settings name, or of the embedded one while inside."""
    if config.database_url:
        yield config.database_url
        return
    from todo_api.embedded import running

    with running(config.data_dir, config.pg_bin) as url:
        logger.info("embedded PostgreSQL: psql '%s'", url)
        yield url


def _complain(*lines: str) -> None:
    print("todo-api:", "\n".join(lines), file=sys.stderr)  # noqa: T201


class _Parser(argparse.ArgumentParser):
    """Shows no word that it does not understand: it may be a secret in the wrong place."""

    def error(self, message: str) -> NoReturn:
        """Show the usage and the mistake; exit status 2."""
        if message.startswith("unrecognized arguments:"):
            names = re.findall(r"(?<= )--[a-z][a-z-]*(?=[ =]|$)", message)
            message = f"unknown: {', '.join(names) or 'an argument that belongs to no option'}"
        elif "invalid choice" in message:
            message = (
                "the first argument must be a command: serve, migrate, rollback or end-sessions"
            )
        super().error(message)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) > 0):
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    settings = _Parser(add_help=False)
    group = settings.add_argument_group(
        "settings",
        "An option wins over the environment, the environment over a .env file here. Secrets belong "
        "into one of these two: other accounts of the machine can see options.",
    )
    for setting in fields(Config):
        default = default_text(setting.name)
        about = setting.metadata["about"] + (f" (default: {default})" if default else "")
        group.add_argument(
            f"--{setting.name.replace('_', '-')}",
            metavar=variable(setting.name),
            help=about.replace("%", "%%"),
        )
    parser = _Parser(
        prog="todo-api",
        description="A secure multi-user task service on PostgreSQL.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"todo-api {version('todo-api')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            usage="%(prog)s [OPTION VALUE]...",
            parents=[settings],
            help=about,
            description=about,
            allow_abbrev=False,
        )
        added.set_defaults(run=run)
        return added

    command(
        "serve", _serve, "serve the API (with an embedded PostgreSQL unless DATABASE_URL is set)"
    )
    command("migrate", _migrate, "bring the schema up to date, and end")
    rollback = command(
        "rollback", _rollback, "roll migrations back; shows which until --yes is given"
    )
    rollback.add_argument(
        "--count", type=_count, default=1, help="how many, newest first (default: 1)"
    )
    rollback.add_argument("--yes", action="store_true", help="really do it: their data is lost")
    end = command(
        "end-sessions", _end_sessions, "end all sessions at once: everybody has to log in again"
    )
    end.add_argument("--user", metavar="EMAIL", help="only those of the account with this address")
    return parser
