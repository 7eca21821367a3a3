"""Users who are at work together, and the many others that a database holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from support.upgrade.asking import Asking
from support.upgrade.record import Record
from support.upgrade.user import PASSWORD, Newcomer, User

_USERS = """
    INSERT INTO users (user_id, email, password_hash)
    SELECT gen_random_uuid(), number || '@old.example.com', password_hash
    FROM users, generate_series(1, %s) AS number WHERE email = 'first@example.com'
"""
_TASKS = """
    INSERT INTO tasks (user_id, title, created_at, updated_at, completed_at)
    SELECT user_id, 'ü ' || number, moment, moment, CASE WHEN number %% 3 = 0 THEN moment END
    FROM users, generate_series(1, %s) AS number,
        LATERAL (SELECT now() - number * interval '1 min' AS moment) AS made
    WHERE email LIKE '%%@old.example.com'
"""
_COUNTS = """
    INSERT INTO task_counts (user_id, tasks)
    SELECT user_id, count(*) FROM tasks GROUP BY user_id ON CONFLICT DO NOTHING
"""


def fill(url: str, asking: Asking, users: int, tasks: int) -> int:
    """Users with the password of one who signed up, and tasks for each; how many there are."""
    body = {"email": "first@example.com", "password": PASSWORD}
    asking.ask("POST", "/api/auth/signup", body, expected=(201,))
    asking.close()
    with psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute(_USERS, [users])
        superuser.execute(_TASKS, [tasks])
        superuser.execute(_COUNTS)
        superuser.execute("VACUUM ANALYZE")
        row = superuser.execute("SELECT count(*) FROM tasks").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def at_work(
    asking: Callable[[], Asking], record: Record, users: int, newcomers: int
) -> Iterator[list[Any]]:
    """Some of those users, and others who sign up, until the end of the block."""
    everybody: list[User] = [
        User(asking(), record, f"{number + 1}@old.example.com") for number in range(users)
    ]
    everybody += [
        Newcomer(asking(), record, f"{number + 1}@new.example.com") for number in range(newcomers)
    ]
    for one in everybody:
        one.start()
    try:
        yield everybody
    finally:
        for one in everybody:
            one.finish()
