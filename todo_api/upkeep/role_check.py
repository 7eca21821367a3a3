"""The check before serving: the schema is this version's, and row security holds for the service's role."""

import logging
from contextlib import closing

from todo_api.database.calls import Call, StatementFailed, Unavailable
from todo_api.database.data import Database
from todo_api.database.pool import why_unreachable
from todo_api.upkeep.migration_files import compare, shipped_checksums

logger = logging.getLogger("todo_api.roles")

ROLE = "todo_app"
_MISSING = ("42883", "42P01")  # undefined_function, undefined_table


class RoleError(Exception):
    """Row security would not hold, or the schema is not this version's; the message is for the operator."""


def check_role(url: str) -> None:
    """Raise RoleError when the service's role could bypass row security, or can't be checked.

    A newer schema only leads to a warning: in a rolling update old and new versions run side by side.
    """
    try:
        # Not prepared: it runs once, and an old pooler may not support preparing.
        with closing(Database(url, connections=1, prepared_statements=False)) as database:
            [[(role, bypasses, owns, unguarded)], applied, on_citus] = database.before_sign_in(
                Call("before_sign_in/check_role"),
                Call("before_sign_in/applied_migrations"),
                Call("before_sign_in/distributed_after"),
            )
    except Unavailable as error:
        if getattr(error.__cause__, "sqlstate", None) in _MISSING:
            raise RoleError("the schema is not there: run `todo-api migrate` first") from error
        reason = why_unreachable(url) or str(error.__cause__ or error).splitlines()[0]
        raise RoleError(f"the database can't be used: {reason}") from error
    except StatementFailed as error:
        raise RoleError(f"the service can't work as {ROLE} in this database: {error}") from error
    differences = compare(dict(applied), shipped_checksums())
    if differences.edited:
        raise RoleError(differences.complaint)
    if differences.missing:
        raise RoleError(
            f"the schema lacks {', '.join(differences.missing)}: run `todo-api migrate` first"
        )
    if differences.unknown:
        logger.warning(
            "the database is newer than this version: it has %s", ", ".join(differences.unknown)
        )
    newest = max(migration_id for migration_id, _ in applied)
    if on_citus and on_citus[0][0] != newest:
        raise RoleError(
            f"this is a Citus coordinator, where sql/distribute.sql has not been run after {newest}: "
            "run it (sql/SCALING.md says how)"
        )
    problems = []
    if role != ROLE:
        problems.append(f"the service works as {role} instead of {ROLE}")
    if bypasses:
        problems.append(f"{role} may bypass row security, by way of {', '.join(bypasses)}")
    if owns:
        problems.append(f"{role} owns {', '.join(owns)}, or may act as the owner")
    if unguarded:
        problems.append(f"row security is not enabled and forced on {', '.join(unguarded)}")
    if problems:
        raise RoleError("; ".join(problems))
