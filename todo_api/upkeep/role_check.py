"""The check before serving: the schema is this version's, row security holds, nobody else has rights."""

import logging
from contextlib import closing

from todo_api.database.calls import Call, StatementFailed, Unavailable
from todo_api.database.data import Database
from todo_api.database.pool import why_unreachable
from todo_api.upkeep.made_objects import shipped_names
from todo_api.upkeep.migration_files import compare, shipped_checksums
from todo_api.upkeep.reach import reach_calls, refusals, warnings

logger = logging.getLogger("todo_api.roles")

ROLE = "todo_app"
_MISSING = ("42883", "42P01", "3F000")  # undefined_function, undefined_table, invalid_schema_name


class RoleError(Exception):
    """Row security would not hold, or the schema is not this version's; the message is for the operator."""


def check_role(url: str) -> None:
    """Raise RoleError when row security would not hold, or others have rights on the service's objects.

    A newer schema only leads to a warning: in a rolling update old and new versions run side by side. So do a
    login that may do more than serve, and a database that is open to others (reach.py says why).
    """
    try:
        # Not prepared: it runs once, and an old pooler may not support preparing.
        with closing(Database(url, connections=1, prepared_statements=False)) as database:
            [[(role, bypasses, owns, unguarded, exceeds)], applied, on_citus, *reach] = (
                database.before_sign_in(
                    Call("before_sign_in/check_role", {"names": shipped_names()}),
                    Call("before_sign_in/applied_migrations"),
                    Call("before_sign_in/distributed_after"),
                    *reach_calls(),
                )
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
    if exceeds and not (bypasses or owns):
        problems.append(
            f"{role} has rights that no migration gave it: {', '.join(exceeds)} (revoke them, and grant "
            "again what migrations/schema.sql grants)"
        )
    problems += refusals(reach)
    if problems:
        raise RoleError("; ".join(problems))
    for warning in warnings(reach):
        logger.warning("%s", warning)
