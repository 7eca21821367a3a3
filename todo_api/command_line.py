"""The arguments of todo-api: a command, its options, and an option for each setting."""

import argparse
import re
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from todo_api.operator.words import add_users
from todo_api.settings.config import Config, default_text, variable
from todo_api.settings.near_names import meant


class _Parser(argparse.ArgumentParser):
    """A parser that never repeats an unknown word in an error: it may be a misplaced secret."""

    commands: Iterable[str] = ()  # what the first argument has to be

    def error(self, message: str) -> NoReturn:
        """Show the usage and the error, and exit with status 2."""
        if message.startswith("unrecognized arguments:"):
            names = re.findall(r"(?<= )--[a-z][a-z_-]*(?=[ =]|$)", message)
            shown = [name + _meant(name) for name in names]
            message = f"unknown: {', '.join(shown) or 'an argument that belongs to no option'}"
        elif self.commands and ("invalid choice" in message or "are required" in message):
            message = f"after {self.prog} comes one of: {', '.join(self.commands)}"
        super().error(message)


def _meant(name: str) -> str:
    """The setting's option that `name` was probably meant to be, as a question; "" when there is none."""
    found = meant(name.removeprefix("--"), [variable(setting.name) for setting in fields(Config)])
    return f" (did you mean {_option(found.lower())}?)" if found else ""


def _option(setting: str) -> str:
    return f"--{setting.replace('_', '-')}"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) > 0):
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments; its result has the command's name in `command`."""
    settings = _Parser(add_help=False)
    group = settings.add_argument_group(
        "settings",
        "An option wins over the environment, and the environment over a .env file in this folder. Keep "
        "secrets out of options: other accounts of the machine can see options.",
    )
    for setting in fields(Config):
        default = default_text(setting.name)
        about = setting.metadata["about"] + (f" (default: {default})" if default else "")
        group.add_argument(
            _option(setting.name),
            metavar=variable(setting.name),
            help=about.replace("%", "%%"),
        )
    found = _Parser(
        prog="todo-api",
        description="A secure multi-user task service on PostgreSQL.",
        epilog="Exit status: 0, done; 1, not done; 2, the command line or a setting is wrong. check has "
        "its own.",
        allow_abbrev=False,
    )
    found.add_argument("--version", action="version", version=f"todo-api {version('todo-api')}")
    added = found.add_subparsers(title="commands", required=True, metavar="COMMAND")
    found.commands = added.choices

    def command(name: str, about: str, example: str = "") -> argparse.ArgumentParser:
        one = added.add_parser(
            name,
            usage="%(prog)s [OPTION VALUE]...",
            parents=[settings],
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=f"Example: todo-api {name} {example}".rstrip(),
            allow_abbrev=False,
        )
        one.set_defaults(command=name)
        return one

    command(
        "serve",
        "serve the API (with an embedded PostgreSQL unless DATABASE_URL is set)",
        "--host 0.0.0.0 --port 8080",
    )
    command("migrate", "bring the schema up to date, and end")
    rollback = command(
        "rollback", "roll migrations back; without --yes only show which", "--count 1"
    )
    rollback.add_argument(
        "--count", type=_count, default=1, help="how many, newest first (default: 1)"
    )
    rollback.add_argument("--yes", action="store_true", help="really do it: their data is lost")
    end = command(
        "end-sessions",
        "end all sessions at once: everybody has to log in again",
        "--user ann@example.com",
    )
    end.add_argument("--user", metavar="EMAIL", help="only those of the account with this address")
    command(
        "after-restore",
        "after a restore from a backup: let clients that keep a copy of their tasks start over",
    )
    command(
        "prune",
        "remove at once what has expired, as the service does once an hour, and say how much",
    )
    check = command(
        "check",
        "look at settings, machine and database, and say what to change; the exit status is 0 when all is "
        "well, 1 with a warning, 2 with an error",
    )
    check.add_argument("--json", action="store_true", help="one object, for programs")
    users, names = add_users(added, settings)
    users.commands = names
    upgrade = command(
        "upgrade-data",
        "move the embedded database to another major version of PostgreSQL",
        "--old-pg-bin /usr/lib/postgresql/15/bin",
    )
    upgrade.add_argument(
        "--old-pg-bin",
        metavar="FOLDER",
        type=lambda text: Path(text).absolute(),
        help="programs of the version that it is in, if the extra has none",
    )
    return found
