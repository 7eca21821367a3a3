"""How the work for one user changes while the tasks of all others grow from thousands to millions."""

from typing import NamedTuple

from .cases import cases
from .fill import TASKS_OF_TYPICAL, fill
from .measure import Measured, measure
from .server import migrated_database

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
TASKS_PER_USER = 100  # on average
# The others do what these do, or have nothing to do with users.
STATEMENTS = (
    "tasks/list",
    "tasks/create",
    "tasks/delete",
    "tasks/update",
    "tasks/complete",
    "tasks/get",
    "auth_events/record",
    "sessions/create",
    "sessions/end",
    "sessions/make_room",
    "before_sign_in/begin_session",
    "before_sign_in/find_account_from",
)


class Step(NamedTuple):
    """What one user's work costs in a database of a certain size."""

    tasks: int
    users: int
    table_blocks: int  # of the table `tasks`, without its indexes
    levels: int  # of tasks_pkey
    blocks: dict[str, int]  # by statement
    milliseconds: dict[str, float]


def grow(server: str, tasks: int) -> Step:
    """Fill a database, and measure what the user with 100 tasks costs there."""
    with migrated_database(server, f"growth_{tasks}") as connection:
        filled = fill(connection, tasks=tasks, users=tasks // TASKS_PER_USER)
        assert filled.typical.rows["tasks"] == TASKS_OF_TYPICAL
        found: dict[str, Measured] = {
            case.statement.name: measure(connection, case)
            for case in cases(filled)
            if case.statement.name in STATEMENTS and not case.label
        }
    one = found["tasks/get"]
    return Step(
        filled.tasks,
        filled.users,
        one.relations["tasks"].pages,
        one.touched["tasks_pkey"].blocks,
        {name: found[name].blocks for name in STATEMENTS},
        {name: found[name].ms for name in STATEMENTS},
    )
