"""The command todo-api: its arguments, its exit status and its error messages."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from todo_api import commands
from todo_api.command_line import parser
from todo_api.operator.words import can_ask
from todo_api.processes.streams import open_streams
from todo_api.settings.authorities import name_authorities
from todo_api.settings.config import Config
from todo_api.settings.load import ConfigError, load

_COMMANDS = {
    "serve": commands.serve,
    "migrate": commands.migrate,
    "rollback": commands.rollback,
    "end-sessions": commands.end_sessions,
    "after-restore": commands.after_restore,
    "prune": commands.prune,
    "users": commands.users,
}
logger = logging.getLogger("todo_api.cli")

_FAILED, _BAD_SETTINGS, _BY_SIGNAL = 1, 2, 128


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    open_streams()
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # which nohup has set
        signal.signal(signal.SIGHUP, _leave)
    name_authorities(os.environ)
    try:
        if given.command == "check":
            return commands.check(given)
        notes: list[str] = []
        serving = given.command == "serve"
        config = load(vars(given), os.environ, Path(), serving=serving, warn=notes.append)
        if given.command == "users" and not can_ask(given):
            _complain("it asks first, and there is no terminal to ask on: add --yes")
            return _BAD_SETTINGS
        return _run(config, given, notes)
    except ConfigError as error:
        _complain("the settings can't be used:", *(f"  {problem}" for problem in error.problems))
        return _BAD_SETTINGS
    except KeyboardInterrupt:
        return _BY_SIGNAL + signal.SIGINT


def _run(config: Config, given: argparse.Namespace, notes: list[str]) -> int:
    # Imported late, so that --help and errors in the settings are fast, and Ctrl-C works from the start.
    with commands.importing():
        from todo_api.embedded.programs import EmbeddedError
        from todo_api.observability import logs
        from todo_api.processes.supervisor import ServerError
        from todo_api.settings.made_secret import SecretError
        from todo_api.upkeep.as_operator import OperatorError
        from todo_api.upkeep.database_check import UnfitDatabaseError
        from todo_api.upkeep.end_sessions import EndError
        from todo_api.upkeep.housekeeping import PruneError
        from todo_api.upkeep.migration_files import MigrationError
        from todo_api.upkeep.role_check import RoleError

    logs.setup(config.log_level, config.log_format)
    for note in notes:
        logger.warning(note)
    try:
        # Any other command on a new, empty database would be a mistake of whoever calls it.
        may_make = given.command in ("serve", "migrate")
        if given.command == "upgrade-data":
            return commands.upgrade_data(config, given)
        with commands.database(config, may_make=may_make) as urls:
            return _COMMANDS[given.command](config, urls, given)
    except EmbeddedError as error:
        _complain(f"DATABASE_URL is not set, so PostgreSQL has to be embedded: {error}")
        return _FAILED
    except (
        SecretError,
        UnfitDatabaseError,
        MigrationError,
        RoleError,
        ServerError,
        EndError,
        OperatorError,
        PruneError,
    ) as error:
        _complain(str(error))
        return _FAILED


def _leave(number: int, frame: object) -> NoReturn:
    """End at SIGTERM and SIGHUP as at Ctrl-C. In a container, process 1 gets no SIGTERM without a handler."""
    raise SystemExit(_BY_SIGNAL + number)


def _complain(*lines: str) -> None:
    print("todo-api:", "\n".join(lines), file=sys.stderr)  # noqa: T201
