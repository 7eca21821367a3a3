"""The command todo-api: serve, migrate, rollback."""

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from todo_api import logs
from todo_api.config import Config, ConfigError, load, variable

logger = logging.getLogger(__name__)

_OK, _FAILED, _BAD_SETTINGS = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    given = _parser().parse_args(arguments)
    try:
        config = load(vars(given), os.environ, Path.cwd())
    except ConfigError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        print(f"todo-api: the settings can't be used:\n{lines}", file=sys.stderr)  # noqa: T201
        return _BAD_SETTINGS
    logs.setup(config.log_level, config.log_format)
    # Imported only now, so that --help and bad settings answer at once.
    from todo_api.embedded import EmbeddedError
    from todo_api.migrate import MigrationError
    from todo_api.roles import RoleError
    from todo_api.server import ServerError

    try:
        with _database(config) as config:
            return int(given.run(config, given))
    except (EmbeddedError, MigrationError, RoleError, ServerError) as error:
        print(f"todo-api: {error}", file=sys.stderr)  # noqa: T201
        return _FAILED
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells have it


def _serve(config: Config, given: argparse.Namespace) -> int:
    from todo_api import create_app
    from todo_api.forwarded import Forwarded
    from todo_api.migrate import migrate
    from todo_api.roles import check_role
    from todo_api.server import serve

    assert config.database_url  # noqa: S101 (_database has seen to it)
    if config.migrate_on_start:
        migrate(config.migrate_url or config.database_url)
    check_role(config.database_url)
    if os.environ.get("SPACE_ID") and not config.trusted_proxies:
        logger.warning(
            "on Hugging Face Spaces all clients share one rate limit until TRUSTED_PROXIES is set"
        )

    def ready(url: str) -> None:
        print(f"Todo API on {url} (documentation: {url}/docs). Ctrl-C stops it.", flush=True)  # noqa: T201

    return serve(
        lambda: Forwarded(create_app(config), config.trusted_proxies),
        host=config.host,
        port=config.port,
        workers=config.workers,
        threads=config.threads,
        ready=ready,
    )


def _migrate(config: Config, given: argparse.Namespace) -> int:
    from todo_api.migrate import migrate

    applied = migrate(config.migrate_url or config.database_url or "")
    print(f"applied: {', '.join(applied) or 'nothing, the schema is up to date'}")  # noqa: T201
    return _OK


def _rollback(config: Config, given: argparse.Namespace) -> int:
    from todo_api.migrate import newest, rollback

    url = config.migrate_url or config.database_url or ""
    if not given.yes:
        found = ", ".join(newest(url, given.count)) or "nothing"
        print(f"would roll back: {found}\nIts data would be lost. Add --yes to do it.")  # noqa: T201
        return _FAILED
    print(f"rolled back: {', '.join(rollback(url, given.count)) or 'nothing'}")  # noqa: T201
    return _OK


@contextmanager
def _database(config: Config) -> Iterator[Config]:
    """The settings with a database in them: the one they name, or the embedded one while inside."""
    if config.database_url:
        yield config
        return
    from todo_api.embedded import running
    from todo_api.made_secret import made_secret

    with running(config.data_dir, config.pg_bin) as url:
        secret = config.jwt_secret or made_secret(config.data_dir)
        logger.info("embedded PostgreSQL: psql '%s'", url)
        yield replace(config, database_url=url, jwt_secret=secret)


def _parser() -> argparse.ArgumentParser:
    settings = argparse.ArgumentParser(add_help=False)
    group = settings.add_argument_group(
        "settings", "An option wins over the environment, the environment over a .env file here."
    )
    for setting in fields(Config):
        group.add_argument(
            f"--{setting.name.replace('_', '-')}",
            metavar=variable(setting.name),
            help=setting.metadata["about"].replace("%", "%%"),
        )
    parser = argparse.ArgumentParser(
        prog="todo-api", description="A secure multi-user task service on PostgreSQL."
    )
    parser.add_argument("--version", action="version", version=f"todo-api {version('todo-api')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[settings], help=about, description=about)
        added.set_defaults(run=run)
        return added

    command(
        "serve", _serve, "serve the API (with an embedded PostgreSQL unless DATABASE_URL is set)"
    )
    command("migrate", _migrate, "bring the schema up to date, and end")
    rollback = command(
        "rollback", _rollback, "roll migrations back; shows which until --yes is given"
    )
    rollback.add_argument("--count", type=int, default=1, help="how many, newest first (default 1)")
    rollback.add_argument("--yes", action="store_true", help="really do it: their data is lost")
    return parser
