"""The operator's command after a restore: clients that keep a copy start over."""

from contextlib import suppress

from todo_api.database.calls import Call, SessionEnded, StatementFailed, Unavailable
from todo_api.upkeep.as_operator import OperatorError, as_operator
from todo_api.upkeep.asking import working

# More changes than one user can have made between a backup and the moment when the database was lost: one in
# each second of 115 days.
LOST_REVISIONS = 10_000_000


def after_restore(url: str) -> int:
    """Lift all revisions above those that clients may hold; returns of how many users.

    Raises OperatorError. `url` needs the login that migrates. Running it again does no harm: clients start
    over once more.
    """
    with as_operator(url) as operator:
        # Their first task may have been lost, and what counted their revisions with it.
        without = operator.run(lambda ask: ask("users_without_counter"))
        _open_counters(url, [user_id for (user_id,) in without])
        [(users,)] = operator.run(lambda ask: ask("lift_revisions", by=LOST_REVISIONS))
        return int(users)


def _open_counters(url: str, users: list[str]) -> None:
    """Give each user a counter as their own request would: the operator's role may not add one."""
    try:
        with working(url) as database:
            for user_id in users:
                with suppress(SessionEnded):  # the user was deleted meanwhile
                    calls = (Call("users/take_turn"), Call("tasks/open_counter"))
                    database.before_sign_in(*calls, user_id=user_id)
    except (Unavailable, StatementFailed) as error:
        raise OperatorError(
            f"not every user could be given a counter: {error}. Nothing was lifted yet: run it again"
        ) from error
