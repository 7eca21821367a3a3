"""The user's turn: every change of a user's tasks waits for the one before, and takes the next revision."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from todo_api.database.calls import Call, Caller, SessionEnded, Unavailable
from todo_api.database.data import Database

T = TypeVar("T")

_TURN = Call("users/take_turn")
AT_ONCE = 5000  # tasks that one transaction numbers: a tenth of a second
MOST_TIMES = 40
MOST_TRIES = 10  # the second does, unless more than AT_ONCE were added since the first
# The turn comes before a new counter, as for whoever deletes the account.
_NUMBER = (_TURN, Call("tasks/open_counter"), Call("tasks/number", {"most": AT_ONCE}))


class ListState(NamedTuple):
    """The revision of the user's latest change, and whether all of the tasks are counted and numbered.

    Deletions up to the forgotten revision are no longer known in full.
    """

    revision: int
    forgotten_revision: int
    is_in_step: bool


STATE = Call("tasks/latest_revision", row=ListState)


def in_turn(database: Database, who: Caller, *calls: Call) -> list[Any]:
    """Run `calls` in the user's turn, as one transaction; returns the rows of each.

    Raises what as_user raises.
    """

    def run(opening: tuple[Call, ...]) -> list[Any] | None:
        # The state comes last. Nothing but numbering, which needs the turn, brings the tasks in step. So if
        # they are so now, they were when the calls ran; if not, the calls have changed nothing. A state from
        # before the calls would be out of date: the tasks may be numbered while it waits for the turn, or be
        # changed by a former version of the service, which takes no turn.
        opening = opening or (_TURN,)
        *found, state = database.as_user(who, *opening, *calls, STATE)
        return found[len(opening) :] if state and state[0].is_in_step else None

    return _once_in_step(database, who.user_id, run)


def read_in_step(
    database: Database, who: Caller, is_in_step: Callable[[list[Any]], bool], *calls: Call
) -> list[Any]:
    """Run `calls`, which only read; returns the rows of each, once `is_in_step` says of them that they are.

    Raises what as_user raises.
    """

    def run(opening: tuple[Call, ...]) -> list[Any] | None:
        if opening:
            # Not as the caller, whose token is good, but may be one that must not write.
            found = database.before_sign_in(*opening, *calls, user_id=who.user_id)
        else:
            found = database.as_user(who, *calls)
        found = found[len(opening) :]
        return found if is_in_step(found) else None

    return _once_in_step(database, who.user_id, run)


def _once_in_step(
    database: Database, user_id: str, run: Callable[[tuple[Call, ...]], T | None]
) -> T:
    """What `run` returns once the user's tasks are counted and numbered; until then it returns None.

    That happens once for each user, whose tasks are older than revisions are, or beside a former version of
    the service. Raises SessionEnded when the user is gone.
    """
    opening: tuple[Call, ...] = ()
    for _ in range(MOST_TRIES):
        if (found := run(opening)) is not None:
            return found
        number_tasks(database, user_id)
        # Once more in the transaction of the calls: a former version's next change has to wait for it.
        opening = _NUMBER
    raise Unavailable("tasks are added by others all the time")


def number_tasks(database: Database, user_id: str) -> None:
    """Count the user's tasks, and number those that have no revision, for a user whose token is good."""
    for _ in range(MOST_TIMES):
        turn, _, numbered = database.before_sign_in(*_NUMBER, user_id=user_id)
        if not turn:
            raise SessionEnded  # the user is gone
        if numbered != [(False,)]:
            return
    raise Unavailable("numbering tasks takes longer")
