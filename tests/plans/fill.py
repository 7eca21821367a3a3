"""Fills a migrated database as life would: skewed, and each user's rows scattered among the others'."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import psycopg

TASKS_OF_HEAVY = 10_000  # as many as MAX_TASKS_PER_USER allows
TASKS_OF_TYPICAL = 100
_IDS = UUID(int=0)


class FilledUser(NamedTuple):
    """A user to measure with: how many rows of each table are theirs, and the ids of some of these."""

    user_id: str
    task_id: str
    session_id: str
    token_id: str
    middle: tuple[str, str]  # of the list: the time and the id of a task
    rows: dict[str, int]


class Filled(NamedTuple):
    """What a database was filled with."""

    users: int
    tasks: int
    typical: FilledUser  # 100 tasks, as old as the service and as new as today
    heavy: FilledUser  # the one who holds the most
    # One to delete: although that is taken back, it leaves pages that are not all visible any more.
    leaving: FilledUser


def fill(connection: psycopg.Connection[Any], *, tasks: int, users: int) -> Filled:
    """Fill the empty tables with `tasks` tasks of `users` users, and what goes with them.

    The same every time: what looks random is a hash of a row's number. `connection` belongs to a
    superuser, in autocommit.
    """
    counts = _tasks_by_user(tasks, users)
    with connection.transaction(), _bare(connection):
        connection.execute(
            "CREATE TEMPORARY TABLE plan (number integer, user_id uuid, tasks integer) ON COMMIT DROP"
        )
        with connection.cursor().copy("COPY plan (number, user_id, tasks) FROM STDIN") as copy:
            for number, count in enumerate(counts):
                copy.write_row((number, user_id(number), count))
        connection.execute("ANALYZE plan")
        connection.execute("SET LOCAL work_mem = '256MB'")
        for statement in _ROWS:
            connection.execute(statement)
    connection.execute("VACUUM (ANALYZE)")
    return Filled(
        users,
        sum(counts),
        _user(connection, 1),
        _user(connection, 0),
        _user(connection, users // 10),
    )


def _tasks_by_user(tasks: int, users: int) -> list[int]:
    """How many tasks each user holds: the heaviest first, then the typical one, then a Zipf tail.

    The exponent of the tail is what makes the sum right.
    """
    heaviest = min(TASKS_OF_HEAVY, tasks // 10)
    low, high = 0.0, 4.0
    for _ in range(40):
        exponent = (low + high) / 2
        tail = [max(1, int(heaviest / rank**exponent)) for rank in range(2, users)]
        if heaviest + TASKS_OF_TYPICAL + sum(tail) > tasks:
            low = exponent
        else:
            high = exponent
    exponent = high
    tail = [max(1, int(heaviest / rank**exponent)) for rank in range(2, users)]
    missing = tasks - heaviest - TASKS_OF_TYPICAL - sum(tail)
    tail = [
        count + missing // len(tail) + (rank < missing % len(tail))
        for rank, count in enumerate(tail)
    ]
    return [heaviest, TASKS_OF_TYPICAL, *tail]


def user_id(number: int) -> str:
    """The id of a user, of whom there are as many as were asked for."""
    return str(uuid5(_IDS, f"user {number}"))


def _user(connection: psycopg.Connection[Any], number: int) -> FilledUser:
    of_user = user_id(number)
    [(task_id, session_id, token_id)] = connection.execute(
        """
        SELECT
            (
                SELECT id::text FROM tasks WHERE user_id = %(user_id)s AND completed_at IS NULL
                ORDER BY created_at LIMIT 1 OFFSET 20
            ),
            (SELECT id::text FROM sessions WHERE user_id = %(user_id)s AND expires_at > now() LIMIT 1),
            (SELECT id::text FROM api_tokens WHERE user_id = %(user_id)s AND scope = 'read' LIMIT 1)
        """,
        {"user_id": of_user},
    ).fetchall()
    tables = connection.execute(
        """
        SELECT attrelid::regclass::text FROM pg_attribute INNER JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = 'user_id'
        """
    ).fetchall()
    rows = {
        table: connection.execute(
            f"SELECT count(*) FROM {table} WHERE user_id = %s".encode(), (of_user,)
        ).fetchall()[0][0]
        for (table,) in tables
    }
    [middle] = connection.execute(
        """
        SELECT created_at::text, id::text FROM tasks WHERE user_id = %s
        ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET %s
        """,
        (of_user, rows["tasks"] // 2),
    ).fetchall()
    return FilledUser(of_user, task_id, session_id, token_id, middle, rows)


@contextmanager
def _bare(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Do without indexes and foreign keys until the rows are in; build them afterwards."""
    unique = connection.execute(
        """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f')
            AND conrelid::regclass::text !~ '^_yoyo'
        ORDER BY contype  -- foreign keys go first and come back last
        """
    ).fetchall()
    for table, name, _ in unique:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes = connection.execute(
        """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
        INNER JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_*yoyo'
        """
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
    for _, definition in indexes:
        connection.execute(definition)
    for table, name, definition in reversed(unique):
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


# A number between 0 and 1 that looks random, of whatever two integers there are.
_CHANCE = "((hashint8extended({}, {}) & 1048575) / 1048576.0)"

_ROWS = (
    # --- accounts, as old as two years ---
    """
    INSERT INTO users (user_id, email, password_hash, created_at)
    SELECT
        user_id,
        'user' || number || '@example.com',
        '$2b$12$' || rpad(md5(number::text), 53, 'a'),
        now() - interval '800 days' + number * interval '1 second'
    FROM plan
    ORDER BY user_id
    """,
    # --- the tasks of all users over two years, in the order in which they were made ---
    f"""
    INSERT INTO tasks (user_id, id, title, completed_at, created_at, updated_at, revision)
    SELECT
        user_id,
        id,
        btrim(left('Water the plants, call the dentist, buy oat milk and take the books back', length)),
        CASE WHEN length % 5 > 1 THEN created_at + interval '2 days' END,
        created_at,
        CASE WHEN length % 5 > 1 THEN created_at + interval '2 days' ELSE created_at END,
        task
    FROM (
        SELECT
            user_id,
            task,
            md5('task ' || number || ' ' || task)::uuid AS id,
            12 + (60 * {_CHANCE.format("number::bigint * 100000 + task", 1)})::integer AS length,
            now() - interval '730 days' * {_CHANCE.format("number::bigint * 100000 + task", 2)} AS created_at
        FROM plan
        CROSS JOIN generate_series(1, tasks) AS task
    ) AS made
    ORDER BY made.created_at
    """,
    """
    INSERT INTO task_counts (user_id, tasks, numbered, text_bytes, revision, deletions)
    SELECT user_id, tasks, tasks, tasks * 50::bigint, tasks * 2::bigint, tasks / 5
    FROM plan
    ORDER BY user_id
    """,
    # --- a deletion for every five tasks, over 30 days and a few hours more ---
    f"""
    INSERT INTO deleted_tasks (user_id, id, revision, deleted_at)
    SELECT
        user_id,
        md5('deleted ' || number || ' ' || gone)::uuid,
        gone,
        now() - interval '30.1 days' * {_CHANCE.format("number::bigint * 100000 + gone", 6)}
    FROM plan
    CROSS JOIN generate_series(1, tasks / 5) AS gone
    ORDER BY {_CHANCE.format("number::bigint * 100000 + gone", 6)} DESC
    """,
    # --- a key for every five tasks, of which half are no longer good ---
    f"""
    INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)
    SELECT
        user_id,
        CASE WHEN once % 2 > 0 THEN 'good-' ELSE 'old-' END || once,
        sha256(convert_to(once::text, 'UTF8')),
        md5('task ' || number || ' ' || once)::uuid,
        now() - once * interval '1 ms'
        - CASE WHEN once % 2 > 0 THEN interval '1 hour' ELSE interval '25 hours' END
    FROM plan
    CROSS JOIN generate_series(1, tasks / 5) AS once
    ORDER BY {_CHANCE.format("number::bigint * 100000 + once", 5)}
    """,
    # --- of every tenth key, the answers of a batch ---
    """
    INSERT INTO batch_results (user_id, key, place, answer, created_at)
    SELECT
        user_id,
        key,
        place,
        '[["' || repeat('x', 200) || '"]]',
        created_at
    FROM idempotency_keys
    CROSS JOIN generate_series(0, 1) AS place
    WHERE key ~ '0$'
    ORDER BY md5(user_id || key || place)
    """,
    # --- three living sessions and two that ended by themselves for each user ---
    f"""
    INSERT INTO sessions (user_id, id, created_at, expires_at)
    SELECT
        user_id,
        md5('session ' || number || ' ' || session)::uuid,
        now() - session * interval '9 hours',
        now() - session * interval '9 hours' + interval '25 hours'
    FROM plan
    CROSS JOIN generate_series(0, 4) AS session
    ORDER BY {_CHANCE.format("number::bigint * 100 + session", 3)}
    """,
    # --- a code of each user, as the housekeeping would leave it, and invites ---
    """
    INSERT INTO reset_codes (user_id, code_hash, expires_at)
    SELECT user_id, sha256(convert_to(number::text, 'UTF8')),
        now() + (20 - number % 30) * interval '1 hour'
    FROM plan
    ORDER BY md5(number::text)
    """,
    """
    INSERT INTO invites (code_hash, email, expires_at)
    SELECT sha256(convert_to('invite ' || number, 'UTF8')), NULL,
        now() + (20 - number % 30) * interval '1 hour'
    FROM plan
    """,
    # --- four API tokens for each user, used today; one of them has expired, one never does ---
    f"""
    INSERT INTO api_tokens (user_id, id, name, scope, created_at, expires_at, last_used_on)
    SELECT
        user_id,
        md5('token ' || number || ' ' || token)::uuid,
        'Token ' || token,
        CASE WHEN token % 2 > 0 THEN 'read' ELSE 'write' END,
        now() - interval '40 days',
        CASE WHEN token > 0 THEN now() - interval '11 days' + token * interval '10 days' END,
        now() AT TIME ZONE 'UTC'
    FROM plan
    CROSS JOIN generate_series(0, 3) AS token
    ORDER BY {_CHANCE.format("number::bigint * 100 + token", 6)}
    """,
    # --- three networks that each user knows and two that are too old ---
    f"""
    INSERT INTO sign_in_networks (user_id, network, seen_on)
    SELECT
        user_id,
        ('10.0.0.0'::inet + place)::cidr,
        (now() AT TIME ZONE 'UTC')::date - place * 30
    FROM plan
    CROSS JOIN generate_series(0, 4) AS place
    ORDER BY {_CHANCE.format("number::bigint * 100 + place", 7)}
    """,
    # --- an event for every five tasks over 90 days, a tenth of them about nobody; and 30 of one client
    # that count as of the last minute for an hour ---
    f"""
    INSERT INTO auth_events (occurred_at, event, user_id, address, user_agent, request_id)
    SELECT
        occurred_at,
        CASE WHEN event % 10 = 0 THEN 'login_refused' ELSE 'login' END,
        CASE WHEN event % 10 > 0 THEN user_id END,
        '10.0.0.0'::inet + number,
        'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
        md5('request ' || number || ' ' || event)
    FROM (
        SELECT
            number,
            event,
            user_id,
            now() - interval '90 days' * {_CHANCE.format("number::bigint * 100000 + event", 4)} AS occurred_at
        FROM plan
        CROSS JOIN generate_series(1, 1 + tasks / 5) AS event
        UNION ALL
        SELECT 1, event, user_id, now() + interval '1 hour'
        FROM plan
        CROSS JOIN generate_series(1, 30) AS event
        WHERE number = 1
    ) AS happened
    ORDER BY happened.occurred_at
    """,
    # --- a counter for every twenty tasks, one of a hundred out of date; the others count for an hour ---
    """
    INSERT INTO rate_limits (key, hits, expires_at)
    SELECT
        'LIMITS:LIMITER/' || ('10.0.0.0'::inet + number) || '/auth.login/5/1/minute',
        array_fill(now() + interval '1 hour', ARRAY[1 + number % 4]),
        now() + CASE WHEN number % 100 = 0 THEN interval '-1 second' ELSE interval '1 hour' END
    FROM (SELECT generate_series(1, sum(tasks)::integer / 20) AS number FROM plan) AS client
    """,
)
