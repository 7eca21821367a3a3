"""The check before serving: the schema is this version's, row security holds, nobody else has rights."""

import logging
from collections.abc import Iterable
from typing import Any

from todo_api.database.calls import Call, StatementFailed, Unavailable
from todo_api.database.pool import why_unreachable
from todo_api.upkeep.asking import working
from todo_api.upkeep.findings import Finding, error, errors_of, warning, warnings_of
from todo_api.upkeep.made_objects import shipped_names
from todo_api.upkeep.migration_files import Differences, compare, shipped_checksums
from todo_api.upkeep.reach import reach_calls, reached_by

logger = logging.getLogger("todo_api.roles")

ROLE = "todo_app"
_MIGRATE = "run `todo-api migrate` first"
_MISSING = ("42883", "42P01", "3F000")  # undefined_function, undefined_table, invalid_schema_name


class RoleError(Exception):
    """Row security would not hold, or the schema is not this version's; the message is for the operator."""


def check_role(url: str) -> None:
    """Raise RoleError when row security would not hold, or others have rights on the service's objects.

    A newer schema only leads to a warning: in a rolling update old and new versions run side by side. So do a
    login that may do more than serve, and a database that is open to others (reach.py says why).
    """
    found = schema_and_roles(url)
    if problems := errors_of(found):
        raise RoleError("; ".join(problems))
    for line in warnings_of(found):
        logger.warning("%s", line)


def schema_and_roles(url: str) -> list[Finding]:
    """What is wrong with the schema or, if nothing is, with the roles and with who can reach the objects."""
    try:
        with working(url) as database:
            _, [guards], applied, on_citus, *reach = database.before_sign_in(
                Call("before_sign_in/set_read_only"),
                Call("before_sign_in/check_role", {"names": shipped_names()}),
                Call("before_sign_in/applied_migrations"),
                Call("before_sign_in/distributed_after"),
                *reach_calls(),
            )
    except Unavailable as failure:
        if getattr(failure.__cause__, "sqlstate", None) in _MISSING:
            return [error("migrations", "the schema is not there", _MIGRATE)]
        reason = why_unreachable(url) or str(failure.__cause__ or failure).splitlines()[0]
        told = f"the database can't be used: {reason}"
        return [error("roles", told, "see whether the server runs, and what it logs")]
    except StatementFailed as failure:
        told = f"the service can't work as {ROLE} in this database: {failure}"
        return [error("roles", told, "see the server's log")]
    differences = compare(dict(applied), shipped_checksums())
    schema = [*_of_schema(differences), *_of_citus(applied, on_citus)]
    if errors_of(schema):
        return schema
    return [*schema, *_of_role(*guards), *reached_by(reach)]


def _of_schema(differences: Differences) -> Iterable[Finding]:
    if differences.edited:
        yield differences.complaint
    elif differences.missing:
        yield error("migrations", f"the schema lacks {', '.join(differences.missing)}", _MIGRATE)
    if differences.unknown:
        yield warning(
            "migrations",
            f"the database is newer than this version: it has {', '.join(differences.unknown)}",
            "install that version here too",
        )


def _of_citus(applied: list[Any], on_citus: list[Any]) -> Iterable[Finding]:
    newest = max((migration_id for migration_id, _ in applied), default=None)
    if on_citus and on_citus[0][0] != newest:
        yield error(
            "citus",
            f"this is a Citus coordinator, where sql/distribute.sql has not been run after {newest}",
            "run it (sql/SCALING.md says how)",
        )


def _of_role(
    role: str, bypasses: list[str], owns: list[str], unguarded: list[str], exceeds: list[str]
) -> Iterable[Finding]:
    if role != ROLE:
        told = f"the service works as {role} instead of {ROLE}"
        yield error(
            "roles", told, "restore the function begin_request as migrations/schema.sql has it"
        )
    if bypasses:
        told = f"{role} may bypass row security, by way of {', '.join(bypasses)}"
        yield error(
            "roles", told, "take the attribute from the role, or the membership from todo_app"
        )
    if owns:
        told = f"{role} owns {', '.join(owns)}, or may act as the owner"
        yield error("roles", told, "ALTER … OWNER TO the login that migrates")
    if unguarded:
        told = f"row security is not enabled and forced on {', '.join(unguarded)}"
        yield error(
            "row-security",
            told,
            "ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        )
    if exceeds and not (bypasses or owns):
        yield error(
            "roles",
            f"{role} has rights that no migration gave it: {', '.join(exceeds)}",
            "revoke them, and grant again what migrations/schema.sql grants",
        )
