"""The command `todo-api check`: looks at everything, says it, and changes nothing."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress

from todo_api.check import of_machine, of_settings, report
from todo_api.check.checks import Checks, TimeUp
from todo_api.check.of_database import Urls, check
from todo_api.embedded.programs import EmbeddedError
from todo_api.settings.load import Settings
from todo_api.upkeep.findings import error

_START_S = 30.0
_STOP_S = 15.0


def run(
    settings: Settings,
    notes: list[str],
    opened: Callable[[], AbstractContextManager[Urls]],
    *,
    as_json: bool,
) -> int:
    """Run all checks and print what they find; returns the exit status. `opened` opens the database."""
    checks, config = Checks(), settings.config
    checks.add("settings", lambda: of_settings.problems(settings.problems, notes))
    checks.add("settings", lambda: of_settings.unwise(config, os.environ))
    checks.add("settings", lambda: of_settings.questionable(config))
    checks.add("ports", lambda: of_machine.ports(config))
    checks.add("passwords", lambda: of_machine.hashing(config))
    checks.add("rate-limit", lambda: of_machine.rate_limit_storage(config))
    if settings.names_database and not config.database_url:
        checks.add("data-folder", lambda: of_machine.folder(config))
    if settings.names_database:
        checks.add("secret", lambda: of_machine.secret(config))
    place = _database(checks, settings, opened)
    found = checks.found
    print((report.as_json if as_json else report.as_text)(found, place))  # noqa: T201
    return report.status(found)


def _database(
    checks: Checks, settings: Settings, opened: Callable[[], AbstractContextManager[Urls]]
) -> str:
    """Add what is found in the database; returns which it is."""
    config = settings.config
    place = "unknown" if config.database_url else f"embedded, in {config.data_dir}"
    if not settings.names_database:
        told = "not looked at: the settings don't say for certain which database is meant"
        checks.found.append(error("connection", told, "correct the settings first"))
        return "unknown"
    with ExitStack() as stack:
        context = opened()
        try:
            urls = checks.within(_START_S, context.__enter__)
        except EmbeddedError as failure:
            message, _, hint = str(failure).partition(". ")
            hint = hint.removesuffix(".") or "set DATABASE_URL, or DATA_DIR to its folder"
            checks.found.append(error("connection", f"no embedded PostgreSQL: {message}", hint))
            return place
        except TimeUp as late:
            told = f"the embedded PostgreSQL has not started: {late}"
            checks.found.append(error("connection", told, "see the log in DATA_DIR/pg"))
            return place

        def leave() -> None:
            # The keeper stops an embedded server when this process is gone, too.
            with suppress(TimeUp):
                checks.within(_STOP_S, lambda: context.__exit__(None, None, None))

        stack.callback(leave)
        return check(checks, config, urls)
