"""The operator's command after a restore: clients that keep a copy start over."""

from todo_api.upkeep.as_operator import as_operator

# More changes than one user can have made between a backup and the moment when the database was lost: one in
# each second of 115 days.
LOST_REVISIONS = 10_000_000


def after_restore(url: str) -> int:
    """Lift all revisions above those that clients may hold; returns of how many users.

    Raises OperatorError. `url` needs the login that migrates. Running it again does no harm: clients start
    over once more.
    """
    with as_operator(url) as operator:
        [(users,)] = operator.run(lambda ask: ask("lift_revisions", by=LOST_REVISIONS))
        return int(users)
