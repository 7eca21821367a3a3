"""What the server is like to the login that serves: TLS, clock, settings, connections, poolers."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from todo_api.auth.token_cache import CLOCKS_DIFFER_S
from todo_api.settings.config import Config
from todo_api.upkeep.database_check import age
from todo_api.upkeep.findings import Finding, error, ok, warning
from todo_api.upkeep.probe import Probe

_CLOCK_TRIES = 5
_SPARE = 3  # connections that should be free, for operators and backups
_RESET = "ALTER ROLE … (or DATABASE …, or SYSTEM) RESET"


class Inherited(NamedTuple):
    """What inherited_settings.sql returns: texts, as current_setting() gives them."""

    isolation: str
    is_read_only: str
    fsync: str
    full_page_writes: str
    autovacuum: str
    track_counts: str
    connections: str
    for_superusers: str
    for_reserved: str | None
    logged: str
    logged_if_slow: str
    logged_if_sampled: str
    logged_transactions: str
    logged_plans: str | None
    parameters: str
    parameters_of_errors: str
    parameters_of_plans: str | None


def inherited(probe: Probe) -> Inherited:
    """The settings that the connection came with."""
    [found] = probe.as_it_came("inherited_settings")
    return Inherited(*found)


def version(probe: Probe) -> Iterator[Finding]:
    """Whether the server is new enough."""
    minor = probe.version % 10_000
    yield from age(probe.version) or [ok("server", f"PostgreSQL {probe.version // 10_000}.{minor}")]


def encryption(probe: Probe) -> Iterator[Finding]:
    """Whether somebody on the way could read along, or pass for the server."""
    hint = "add sslmode=verify-full&sslrootcert=system to DATABASE_URL and MIGRATE_URL"
    if probe.is_local:
        yield ok("tls", "not needed: the connection stays on this machine")
    elif not probe.is_encrypted:
        yield warning(
            "tls", "the connection has no TLS: others on its way can read and change it", hint
        )
    elif not probe.verifies:
        told = "the connection has TLS, but the server's certificate may be another host's"
        yield warning("tls", told, hint)
    else:
        yield ok("tls", "the server's certificate is checked")


def clock(probe: Probe) -> Iterator[Finding]:
    """How far this machine's clock is from the server's, which says when a session ends."""
    tries = [_compared(probe) for _ in range(_CLOCK_TRIES)]
    off_s, unsure_s = min(tries, key=lambda one: one[1])
    certain_s = abs(off_s) - unsure_s
    told = f"the server's clock is {abs(off_s):.1f} s {'ahead' if off_s > 0 else 'behind'}"
    hint = "let NTP set both clocks"
    if certain_s > CLOCKS_DIFFER_S:
        yield error("clock", f"{told}: tokens are good for more or less than they should be", hint)
    elif certain_s > CLOCKS_DIFFER_S / 2:
        yield warning("clock", f"{told}: machines may differ by {CLOCKS_DIFFER_S} s at most", hint)
    else:
        yield ok("clock", f"as the server's, within {max(0.0, certain_s) + unsure_s:.2f} s")


def machine_time() -> float:
    """This machine's clock, as a Unix time."""
    return time.time()


def _compared(probe: Probe) -> tuple[float, float]:
    """The difference, and how much of it may be the way there and back."""
    asked, began = machine_time(), time.monotonic()
    [(there,)] = probe.ask("server_clock")
    took_s = time.monotonic() - began
    return there - (asked + took_s / 2), took_s / 2


def defaults(found: Inherited) -> Iterator[Finding]:
    """Whether a transaction is what the service needs without being told so."""
    wrong = []
    if found.isolation != "read committed":
        wrong.append(("default_transaction_isolation", found.isolation))
    if found.is_read_only != "off":
        wrong.append(("default_transaction_read_only", found.is_read_only))
    for name, value in wrong:
        told = f"{name} is {value}, so each request sends two more statements"
        yield warning("isolation", told, f"{_RESET} {name}")
    if not wrong:
        yield ok("isolation", "read committed, read write")


def durability(found: Inherited) -> Iterator[Finding]:
    """Whether what was written survives a crash, but for synchronous_commit."""
    if found.fsync != "on":
        told = "fsync is off: a crash of the machine can destroy the database"
        yield error("durability", told, "ALTER SYSTEM SET fsync = on, and pg_reload_conf()")
    if found.full_page_writes != "on":
        told = "full_page_writes is off: a crash of the machine can destroy the database"
        hint = "ALTER SYSTEM SET full_page_writes = on, and pg_reload_conf()"
        yield warning("durability", told, hint)


def autovacuum(found: Inherited) -> Iterator[Finding]:
    """Whether dead rows are removed at all."""
    off = [name for name in ("autovacuum", "track_counts") if getattr(found, name) != "on"]
    if off:
        told = f"{' and '.join(off)}: off, so tables grow without end"
        hint = f"ALTER SYSTEM SET {off[0]} = on, and pg_reload_conf()"
        yield warning("autovacuum", told, hint)
    else:
        yield ok("autovacuum", "on")


def logging(found: Inherited) -> Iterator[Finding]:
    """Whether the server's log gets what was sent: hashes of passwords, addresses, titles."""
    hints = []
    causes = []
    if found.logged in ("mod", "all"):
        causes.append(f"log_statement = {found.logged}")
    for name, value in (
        ("log_min_duration_statement", found.logged_if_slow),
        ("log_min_duration_sample", found.logged_if_sampled),
    ):
        if value != "-1":
            causes.append(f"{name} = {value}")
    if float(found.logged_transactions) > 0:
        causes.append(f"log_transaction_sample_rate = {found.logged_transactions}")
    if causes and found.parameters != "0":
        hints.append("log_parameter_max_length = 0")
    else:
        causes = []
    if found.parameters_of_errors != "0":
        causes.append(f"log_parameter_max_length_on_error = {found.parameters_of_errors}")
        hints.append("log_parameter_max_length_on_error = 0")
    if found.logged_plans not in (None, "", "-1") and found.parameters_of_plans != "0":
        causes.append(f"auto_explain.log_min_duration = {found.logged_plans}")
        hints.append("auto_explain.log_parameter_max_length = 0")
    if causes:
        yield warning(
            "logging",
            "hashes of passwords, addresses and titles get into the server's log "
            f"({', '.join(causes)})",
            f"ALTER SYSTEM SET {', SET '.join(hints)}, and pg_reload_conf()",
        )
    else:
        yield ok("logging", "the server's log does not get what users send")


def connections(probe: Probe, found: Inherited, config: Config) -> Iterator[Finding]:
    """Whether all workers get the connections that they may open, and others get one too."""
    [(used, of_database, database_limit, of_login, login_limit, is_superuser)] = probe.ask(
        "room_for_connections"
    )
    kept = int(found.for_reserved or 0) + int(found.for_superusers)
    bounds = [("max_connections", int(found.connections) - (0 if is_superuser else kept), used)]
    if database_limit is not None:
        bounds.append(("the database's CONNECTION LIMIT", database_limit, of_database))
    if login_limit is not None:
        bounds.append(("the login's CONNECTION LIMIT", login_limit, of_login))
    name, most, now = min(bounds, key=lambda bound: bound[1] - bound[2])
    wanted = config.workers * config.connections
    told = f"{now} of {most} are in use; this machine's workers may open {wanted}"
    if most - now < _SPARE:
        yield warning("connections", f"{now} of {most} are in use", f"raise {name}, or end some")
    elif wanted > min(bound[1] for bound in bounds):
        yield warning("connections", told, f"raise {name}, or lower WORKERS or THREADS")
    else:
        yield ok("connections", told)


def pooler(probe: Probe, config: Config) -> Iterator[Finding]:
    """Whether a pooler mixes up what its clients have prepared."""
    if not probe.shares_its_process():
        yield ok("pooler", "none in transaction mode")
    elif config.prepared_statements and probe.prepares_for_everybody():
        yield warning(
            "pooler",
            "a pooler mixes up the prepared statements of its clients",
            "set PREPARED_STATEMENTS=false, or max_prepared_statements in PgBouncer 1.21 or newer",
        )
    else:
        yield ok("pooler", "one in transaction mode, which the service can work with")
