"""Housekeeping: what has expired is removed in small batches, once an hour by one process of all."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator

from psycopg import errors

from todo_api.database.calls import Call, StatementFailed, Unavailable
from todo_api.database.data import Database
from todo_api.database.pool import why_unreachable
from todo_api.upkeep.asking import working

BATCH = 1000  # rows that one transaction removes: a few milliseconds
FIRST_LOOK_S = (5, 10)  # soon, for a service that never runs for an hour; but not during the start
LOOK_S = (240, 600)  # whether a sweep is due: a round trip that mostly finds it is not
# `prune` tries again what is in use, for longer than a request may hold a row: each try waits 200 ms too.
_TRIES = 12
_PAUSE_S = 0.8
_IN_USE = (
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.QueryCanceled,
)
_NOT_MIGRATED = (errors.UndefinedTable, errors.UndefinedFunction, errors.InvalidSchemaName)
# What is removed, by its table. A new kind is a line here and a statement; and a function in a migration, if
# the rows are those of users, which the service's role must not delete.
SWEEPS = {
    "sessions": "before_sign_in/sweep_sessions",
    "api_tokens": "before_sign_in/sweep_api_tokens",
    "idempotency_keys": "before_sign_in/sweep_idempotency_keys",
    "batch_results": "before_sign_in/sweep_batch_results",
    "sign_in_networks": "before_sign_in/sweep_sign_in_networks",
    "deleted_tasks": "before_sign_in/sweep_deleted_tasks",
    "rate_limits": "before_sign_in/sweep_rate_limits",
    "auth_events": "before_sign_in/sweep_auth_events",
    "reset_codes": "before_sign_in/sweep_reset_codes",
    "invites": "before_sign_in/sweep_invites",
}

logger = logging.getLogger("todo_api.housekeeping")


class PruneError(Exception):
    """Not everything was removed; the message is for the operator."""


class Housekeeper:
    """Looks from time to time whether a sweep is due, and sweeps. Every worker has one."""

    def __init__(
        self,
        database: Database,
        events_days: int,
        removed: Callable[[str, int], None] | None = None,
    ) -> None:
        """`removed` is told after each batch how many rows of which kind it removed."""
        self._database = database
        self._events_days = events_days
        self._removed = removed

    def start(self) -> None:
        """Look in a thread of its own until the process ends, which does not wait for it."""
        threading.Thread(target=self._keep_looking, name="housekeeping", daemon=True).start()

    def _keep_looking(self) -> None:
        time.sleep(_between(FIRST_LOOK_S))
        while True:
            try:
                self.look()
            except Exception:  # a thread that ended here would be missed by nobody
                logger.exception("the housekeeping failed")
            time.sleep(_between(LOOK_S))

    def look(self) -> bool:
        """Sweep if no process has for an hour; returns whether it was due."""
        try:
            [claimed] = self._database.before_sign_in(Call("before_sign_in/claim_sweep"))
        except (Unavailable, StatementFailed) as error:
            logger.warning("housekeeping has to wait: %s", error)
            return False
        if claimed:
            self._sweep()
        return bool(claimed)

    def _sweep(self) -> None:
        found = dict.fromkeys(SWEEPS, 0)
        for kind, call in _calls(self._events_days):
            try:
                began = time.monotonic()
                for rows in _batches(self._database, call):
                    found[kind] += rows
                    if self._removed is not None:
                        self._removed(kind, rows)
                    # As long as the batch took: the requests come first.
                    time.sleep(time.monotonic() - began)
                    began = time.monotonic()
            except (Unavailable, StatementFailed) as error:
                logger.warning("not all expired rows of %s were removed: %s", kind, error)
        logger.info("housekeeping removed %s", in_words(found))


def prune(url: str, events_days: int) -> dict[str, int]:
    """Remove all that has expired, at once; returns how many rows, by kind. Raises PruneError.

    What can't be removed ends nothing: the other kinds go first, and what is only in use is tried again.
    """
    if reason := why_unreachable(url):
        raise PruneError(f"the database can't be reached: {reason}")
    found, again = dict.fromkeys(SWEEPS, 0), dict(_calls(events_days))
    left: dict[str, Exception] = {}
    with working(url) as database:
        for tries_left in reversed(range(_TRIES)):
            for kind, call in again.items():
                left.pop(kind, None)
                try:
                    for rows in _batches(database, call):
                        found[kind] += rows
                except (Unavailable, StatementFailed) as error:
                    left[kind] = error
            again = {kind: call for kind, call in again.items() if _is_in_use(left.get(kind))}
            if not (again and tries_left):
                break
            _pause()
    if left:
        raise PruneError(f"{_told(left)} Removed {in_words(found)}")
    return found


def _pause() -> None:
    time.sleep(_PAUSE_S)


def _told(left: dict[str, Exception]) -> str:
    """What is left, why, and what to do."""
    kinds: dict[str, list[str]] = {}
    for kind, error in left.items():
        kinds.setdefault(str(error), []).append(kind)
    told = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in kinds.items())
    hint = ""
    if any(_is_in_use(error) for error in left.values()):
        hint += " Something holds rows for long (sql/README.md, “Lock waits”): run it again later."
    if any(isinstance(error.__cause__, _NOT_MIGRATED) for error in left.values()):
        hint += " Has the database been migrated (`todo-api migrate`)?"
    return f"not all that has expired could be removed. Left are {told}.{hint}"


def _is_in_use(error: Exception | None) -> bool:
    """Whether it may work a moment later."""
    return error is not None and isinstance(error.__cause__, _IN_USE)


def in_words(removed: dict[str, int]) -> str:
    """What was removed, for people."""
    return ", ".join(f"{kind}: {rows}" for kind, rows in removed.items())


def _between(seconds: tuple[int, int]) -> float:
    """Not the same for every process, so that they don't come all at once."""
    low, high = seconds
    return low + secrets.randbelow(1000 * (high - low)) / 1000


def _calls(events_days: int) -> Iterator[tuple[str, Call]]:
    """What removes a batch of each kind; with 0 days all events are kept."""
    for kind, statement in SWEEPS.items():
        parameters = {"most": BATCH}
        if kind == "auth_events":
            parameters["days"] = events_days
        if parameters.get("days") != 0:
            yield kind, Call(statement, parameters)


def _batches(database: Database, call: Call) -> Iterator[int]:
    """Run `call` until a batch is not full; yields the number of rows of each."""
    rows = BATCH
    while rows >= BATCH:
        [[(rows,)]] = database.before_sign_in(call)
        yield rows
