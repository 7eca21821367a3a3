"""The command todo-api: its arguments, its exit status and its error messages."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from todo_api import commands
from todo_api.command_line import parser
from todo_api.settings.config import Config
from todo_api.settings.load import ConfigError, load

_COMMANDS = {
    "serve": commands.serve,
    "migrate": commands.migrate,
    "rollback": commands.rollback,
    "end-sessions": commands.end_sessions,
}
_FAILED, _BAD_SETTINGS, _BY_SIGNAL = 1, 2, 128


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        config = load(vars(given), os.environ, Path(), serving=given.command == "serve")
        return _run(config, given)
    except ConfigError as error:
        _complain("the settings can't be used:", *(f"  {problem}" for problem in error.problems))
        return _BAD_SETTINGS
    except KeyboardInterrupt:
        return _BY_SIGNAL + signal.SIGINT


def _run(config: Config, given: argparse.Namespace) -> int:
    # Imported late, so that --help and errors in the settings are fast, and Ctrl-C works from the start.
    from todo_api.embedded.programs import EmbeddedError
    from todo_api.observability import logs
    from todo_api.server.supervisor import ServerError
    from todo_api.settings.made_secret import SecretError
    from todo_api.upkeep.end_sessions import EndError
    from todo_api.upkeep.migration_files import MigrationError
    from todo_api.upkeep.role_check import RoleError

    logs.setup(config.log_level, config.log_format)
    try:
        with commands.database(config) as url:
            return _COMMANDS[given.command](config, url, given)
    except EmbeddedError as error:
        _complain(f"DATABASE_URL is not set, so PostgreSQL has to be embedded: {error}")
        return _FAILED
    except (SecretError, MigrationError, RoleError, ServerError, EndError) as error:
        _complain(str(error))
        return _FAILED


def _leave(number: int, frame: object) -> NoReturn:
    """End at SIGTERM as at Ctrl-C. In a container, process 1 gets no SIGTERM without a handler."""
    raise SystemExit(_BY_SIGNAL + number)


def _complain(*lines: str) -> None:
    print("todo-api:", "\n".join(lines), file=sys.stderr)  # noqa: T201
