"""The check of the database itself: what the service counts on and can't set, and what to change there."""

import logging
from typing import Any, NamedTuple

import psycopg

from todo_api.upkeep.asking import Ask, asking

_OLDEST = 15

logger = logging.getLogger("todo_api.database")


class UnfitDatabaseError(Exception):
    """The service can't work in this database; the message is for the operator."""


class Facts(NamedTuple):
    """What check_database.sql returns."""

    encoding: str
    is_standby: bool
    is_template: bool
    has_schema: bool
    may_create: bool
    replica: bool
    is_durable: bool
    login: str


def check_database(url: str) -> None:
    """Raise UnfitDatabaseError for a database in which the service can't work; warn of what is unsafe in it.

    A database that can't be reached is left to the next check, which tells why.
    """
    try:
        with asking(url) as (connection, ask):
            facts = require_fit(connection, ask, until_commit=True)
            creators = [str(creator) for (creator,) in ask("who_may_create")]
    except psycopg.Error:
        return
    if creators:
        logger.warning(
            "others may create in the schema public, where the service's tables are: "
            "REVOKE CREATE ON SCHEMA public FROM %s",
            ", ".join(creators),
        )
    if not facts.is_durable:
        logger.warning(
            "synchronous_commit is off: what was answered can be lost when the server crashes"
        )


def require_fit(connection: psycopg.Connection[Any], ask: Ask, *, until_commit: bool) -> Facts:
    """Pin the settings, until the commit or for the connection. Raises UnfitDatabaseError."""
    if (version := connection.info.server_version) < _OLDEST * 10_000:
        raise UnfitDatabaseError(
            f"the server is PostgreSQL {version // 10_000}: {_OLDEST} or newer is needed"
        )
    ask("pin_settings", until_commit=until_commit)
    [found] = ask("check_database")
    facts = Facts(*found)
    if problem := _problem(facts):
        raise UnfitDatabaseError(problem)
    return facts


def require_migratable(ask: Ask, facts: Facts) -> None:
    """Raise UnfitDatabaseError where nothing can, or should, be migrated."""
    if not facts.may_create:
        raise UnfitDatabaseError(
            f"{facts.login} may not create in the schema public: "
            f'GRANT CREATE ON SCHEMA public TO "{facts.login}"'
        )
    if planted := [str(thing) for (thing,) in ask("planted")]:
        raise UnfitDatabaseError(
            f"the schema public has {', '.join(planted)}, which the migrations could take for PostgreSQL's "
            "or the service's own: drop it, and REVOKE CREATE ON SCHEMA public FROM others"
        )


def _problem(facts: Facts) -> str | None:
    if facts.encoding != "UTF8":
        return (
            f"the encoding of the database is {facts.encoding}, which can't hold every title: make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and copy what the old one holds"
        )
    if facts.is_standby:
        return (
            "the server is a standby, which only reads: name the primary, or all hosts with "
            "target_session_attrs=read-write"
        )
    if facts.is_template:
        return (
            "the database is a template, and every new database would be a copy of it: make one of "
            "the service's own with CREATE DATABASE"
        )
    if not facts.has_schema:
        return (
            f'the database has no schema public: CREATE SCHEMA public AUTHORIZATION "{facts.login}"'
        )
    if facts.replica:
        return (
            "session_replication_role is replica for this login, so foreign keys don't hold: "
            "ALTER ROLE … (or DATABASE …) RESET session_replication_role"
        )
    return None
