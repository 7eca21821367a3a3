"""The words of `todo-api users`: its commands, their arguments, and an example of each."""

import argparse
import sys
from typing import Any, NamedTuple

_WHO = "the user's id, or address in any letter case"


class _Command(NamedTuple):
    about: str
    example: str
    # the one positional argument, if any: its name in usage and help, and what it is
    argument: str = ""
    meaning: str = _WHO
    optional: bool = False


_COMMANDS = {
    "list": _Command(
        "list all accounts by address, with how many tasks each has and when its user last signed in",
        "todo-api users list --json",
    ),
    "show": _Command("show one account", "todo-api users show ann@example.com", "USER"),
    "add": _Command(
        "add an account, and print the code with which its user sets a password: good once, for 7 days",
        "todo-api users add ann@example.com",
        "EMAIL",
        "the new account's address",
    ),
    "invite": _Command(
        "print an invite to sign up with: good once, for 7 days",
        "todo-api users invite ann@example.com",
        "EMAIL",
        "the only address that may sign up with it (default: any)",
        optional=True,
    ),
    "reset-password": _Command(
        "print a code with which a user sets a new password: good once, for an hour, and void when there is "
        "a newer one",
        "todo-api users reset-password ann@example.com",
        "USER",
    ),
    "disable": _Command(
        "let nobody sign in to an account: its sessions and API tokens end for good, its codes are void",
        "todo-api users disable ann@example.com",
        "USER",
    ),
    "enable": _Command(
        "let the user of a disabled account sign in again",
        "todo-api users enable ann@example.com",
        "USER",
    ),
    "delete": _Command(
        "delete an account and all that is its own, for good; asks first",
        "todo-api users delete ann@example.com",
        "USER",
    ),
}


def add_users(
    added: "argparse._SubParsersAction[Any]", settings: argparse.ArgumentParser
) -> tuple[Any, tuple[str, ...]]:
    """Add the command `users` with its own commands; its parser, and the names of those."""
    about = (
        "list, show, add, invite, disable, enable and delete users, and let them set a new password"
    )
    users = added.add_parser(
        "users",
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog="Example: todo-api users list",
        allow_abbrev=False,
    )
    users.set_defaults(command="users")
    actions = users.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest="action"
    )
    for name, command in _COMMANDS.items():
        shown = f"[{command.argument}]" if command.optional else command.argument
        one = actions.add_parser(
            name,
            usage=" ".join(filter(None, ("%(prog)s", shown, "[OPTION VALUE]..."))),
            parents=[settings],
            help=command.about,
            description=f"{command.about[0].upper()}{command.about[1:]}.",
            epilog=f"Example: {command.example}",
            allow_abbrev=False,
        )
        if command.argument:
            one.add_argument(
                "who",
                metavar=command.argument,
                help=command.meaning,
                nargs="?" if command.optional else None,
            )
        one.add_argument("--json", action="store_true", help="print one JSON document")
        if name == "delete":
            one.add_argument("--yes", action="store_true", help="don't ask")
    return users, tuple(_COMMANDS)


def can_ask(given: argparse.Namespace) -> bool:
    """Whether the command need not ask before it does anything, or has a terminal to ask on."""
    return given.action != "delete" or given.yes or (sys.stdin is not None and sys.stdin.isatty())
