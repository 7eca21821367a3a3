"""Is what a user has that user's alone? Asked of the rows: what runs as somebody else meets none.

`breaches` runs every statement of sql/, as it is and without its WHERE, and some that an attacker
would send, as the service's role: for nobody, for one user, and for that user with another's ids.
It works on a superuser's connection, in whose transaction everything is taken back.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pglast
import psycopg
from pglast import ast
from pglast.stream import RawStream
from psycopg import errors

from support.rules.user_rule import TABLES, opens_or_ends, walk
from support.signed_up import HASH
from todo_api.database.statements import USER, load_statements

# What row security, the grants, a key or a dead session say; anything else is a mistake of the proof.
REFUSALS = (errors.InsufficientPrivilege, errors.UniqueViolation)
# By a dead session, by a code that is not good.
RAISED = ("TD401", "TD410")
# Handing this out is the purpose of these statements: of one address, or one code, to whoever comes with it.
ANSWERS_FOR_ANYBODY = (
    "before_sign_in/find_account_from",
    "before_sign_in/count_guess",
    "before_sign_in/find_reset_code",
)
# Without its WHERE it asks for what only Citus has. It reads the catalogues, no row of a user.
ASKS_CITUS = "before_sign_in/table_sizes"
# Removing what has expired, of whoever, is these statements' purpose.
SWEEPS = "before_sign_in/sweep_"
_LIVES = {
    "sessions": "expires_at > now()",
    "api_tokens": "coalesce(expires_at > now(), TRUE)",
    "idempotency_keys": "created_at > now() - interval '24 hours'",
    "batch_results": "created_at > now() - interval '24 hours'",
    "sign_in_networks": "seen_on > current_date - 90",
    "auth_events": "occurred_at > now() - interval '90 days'",
    "reset_codes": "expires_at > now()",
    "deleted_tasks": "deleted_at > now() - interval '30 days'",
}
# The columns that a sweep leaves as they are, where it changes some.
_KEPT = {"task_counts": "(t.user_id, t.tasks, t.numbered, t.text_bytes, t.revision)"}
ATTACKS = (
    "SELECT user_id, email FROM users",
    "SELECT user_id, password_hash FROM users",
    "SELECT user_id, id, title FROM tasks",
    "SELECT user_id, id FROM sessions",
    "SELECT user_id, id, name FROM api_tokens",
    "SELECT user_id, tasks FROM task_counts",
    "SELECT user_id, tasks FROM task_counts FOR NO KEY UPDATE",
    "SELECT user_id, id FROM deleted_tasks",
    "SELECT user_id, task_id FROM idempotency_keys",
    "SELECT user_id, answer FROM batch_results",
    "SELECT user_id, network FROM sign_in_networks",
    "SELECT user_id, address FROM auth_events",
    "SELECT user_id, code_hash FROM reset_codes",
    "SELECT email FROM invites",
    "SELECT user_id, password_hash FROM find_credentials('%')",
    "SELECT user_id, password_hash FROM find_account_from('%', '192.0.2.1')",
    "SELECT t.title FROM tasks AS t INNER JOIN users AS u USING (user_id)",
    "SELECT title FROM tasks WHERE user_id = $1 OR TRUE",
    "SELECT title FROM tasks FOR UPDATE",
    "UPDATE tasks SET title = 'taken'",
    "UPDATE tasks SET title = 'taken' WHERE user_id = $1",
    "UPDATE tasks SET user_id = $1",
    "UPDATE sessions SET user_id = $1",
    "UPDATE sessions SET expires_at = 'infinity'",
    "UPDATE api_tokens SET last_used_on = '2026-01-31'",
    "UPDATE api_tokens SET scope = 'write'",
    "UPDATE api_tokens SET user_id = $1",
    "UPDATE users SET email = 'taken@example.com'",
    "UPDATE users SET password_hash = $2",
    "UPDATE task_counts SET tasks = 0",
    "UPDATE task_counts SET revision = revision + 1, forgotten_revision = 0",
    "UPDATE tasks SET revision = 1, notes = 'taken', tags = '{taken}'",
    "UPDATE deleted_tasks SET revision = 1",
    "UPDATE deleted_tasks SET user_id = $1",
    "UPDATE idempotency_keys SET task_id = gen_random_uuid()",
    "UPDATE batch_results SET answer = '[]'",
    "UPDATE sign_in_networks SET seen_on = 'infinity'",
    "UPDATE auth_events SET reason = 'taken'",
    "DELETE FROM tasks",
    "DELETE FROM sessions",
    "DELETE FROM api_tokens",
    "DELETE FROM users",
    "DELETE FROM task_counts",
    "DELETE FROM deleted_tasks",
    "DELETE FROM idempotency_keys",
    "DELETE FROM batch_results",
    "DELETE FROM sign_in_networks",
    "DELETE FROM auth_events",
    "DELETE FROM reset_codes",
    "DELETE FROM invites",
    "UPDATE reset_codes SET expires_at = 'infinity'",
    "INSERT INTO tasks (user_id, title) VALUES ($1, 'planted')",
    "INSERT INTO deleted_tasks (user_id, id, revision) VALUES ($1, gen_random_uuid(), 1)",
    "INSERT INTO sessions (user_id, id, expires_at) VALUES ($1, gen_random_uuid(), 'infinity')",
    (
        "INSERT INTO api_tokens (user_id, id, name, scope)"
        " VALUES ($1, gen_random_uuid(), 'planted', 'write')"
    ),
    "INSERT INTO task_counts (user_id, tasks) VALUES ($1, 0) ON CONFLICT (user_id) DO UPDATE SET tasks = 0",
    "INSERT INTO task_counts (user_id, tasks) VALUES ($1, 0) ON CONFLICT (user_id) DO NOTHING",
    (
        "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
        " VALUES ($1, 'planted', sha256(''), gen_random_uuid(), now())"
    ),
    "INSERT INTO batch_results (user_id, key, place, answer) VALUES ($1, 'good', 7, 'planted')",
    (
        "INSERT INTO sign_in_networks (user_id, network, seen_on) VALUES ($1, '192.0.2.9', '2026-01-01')"
        " ON CONFLICT (user_id, network) DO UPDATE SET seen_on = '2026-01-01'"
    ),
    "INSERT INTO users (user_id, email, password_hash) VALUES (gen_random_uuid(), 'x@example.com', $2)",
    "INSERT INTO reset_codes (user_id, code_hash, expires_at) VALUES ($1, sha256(''), 'infinity')",
    "INSERT INTO auth_events (event, user_id, address, request_id) VALUES ('login', $1, '::1', 'r')",
    "TRUNCATE tasks",
    "TRUNCATE users CASCADE",
    "COPY tasks (user_id, title) TO STDOUT",
)


@dataclass(frozen=True)
class Person:
    """A user with everything that a user can have."""

    user_id: str
    session_id: str
    token_id: str
    task_id: str
    email: str
    title: str

    def shows_in(self, text: str) -> bool:
        """Whether something of this user's is in an answer."""
        own = (self.user_id, self.session_id, self.token_id, self.task_id, self.email, self.title)
        return any(one in text for one in own)


def breaches(connection: psycopg.Connection[Any], of: str = "") -> Iterator[str]:
    """What of another user's was seen or changed, and by what; nothing on a good database.

    `connection` is a superuser's, with psycopg's RawCursor and a transaction that the caller rolls
    back. An error that is no refusal is a breach too: there nothing was proven. With `of` only what has
    this in its name is run.
    """
    a, b, c = (_person(connection, name) for name in ("a", "b", "c"))
    untouched = {
        (people, swept): _checksum(connection, people, swept=swept)
        for people in ((b, c), (a, b, c))
        for swept in (False, True)
    }
    for label, sql, names in _trials():
        if of not in label:
            continue
        for acting, ids in ((None, b), (a, a), (a, b)):
            others = (b, c) if acting else (a, b, c)
            values = _values(ids)
            as_whom = f"{label}, for {'a' if acting else 'nobody'} with {ids.email[0]}'s ids"
            with connection.transaction(force_rollback=True):
                try:
                    rows = _run(connection, acting, sql, [values[name] for name in names])
                except psycopg.Error as error:
                    yield f"{as_whom}: {type(error).__name__}, which is no refusal"
                    continue
                swept = label.startswith(SWEEPS)
                after = _checksum(connection, others, swept=swept)
            if after != untouched[others, swept]:
                yield f"{as_whom}: another user's rows changed"
            answered = {ids} if label.startswith(ANSWERS_FOR_ANYBODY) else set()
            if any(one.shows_in(rows) for one in set(others) - answered):
                yield f"{as_whom}: another user's rows were seen"


@cache
def _trials() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """What is run: its name, its SQL, and the names of its parameters in order."""
    return tuple(_statements_and_attacks())


def _statements_and_attacks() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for statement in load_statements().values():
        if opens_or_ends(statement.text):
            continue
        yield statement.name, statement.text, statement.parameters
        if statement.name == ASKS_CITUS:
            continue
        yield (
            f"{statement.name} without WHERE",
            *_without_where(statement.text, statement.parameters),
        )
    for attack in ATTACKS:
        names = (USER, "password_hash")[: attack.count("$")]
        if "$2" in attack:
            attack, names = attack.replace("$2", "$1"), ("password_hash",)
        yield attack, attack, names


def _without_where(text: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The statement with every WHERE taken out by the parser, and the parameters that are left."""
    [tree] = pglast.parse_sql(text)
    left: list[int] = []
    for node in walk(tree.stmt):
        if getattr(node, "whereClause", None) is not None:
            node.whereClause = None
    for node in walk(tree.stmt):
        if isinstance(node, ast.ParamRef):
            if node.number not in left:
                left.append(node.number)
            node.number = left.index(node.number) + 1
    return RawStream()(tree), tuple(names[number - 1] for number in left)


def _run(
    connection: psycopg.Connection[Any], acting: Person | None, sql: str, values: list[Any]
) -> str:
    """Everything that the service's role gets to see, as one text."""
    try:
        with connection.transaction():
            connection.execute("SELECT begin_request($1)", [acting.user_id if acting else None])
            if sql.startswith("COPY"):
                with connection.cursor().copy(sql.encode()) as copy:
                    return b"".join(bytes(block) for block in copy).decode()
            cursor = connection.execute(sql.encode(), values)
            return str(cursor.fetchall()) if cursor.description else ""
    except REFUSALS:
        return ""
    except psycopg.Error as error:
        if error.sqlstate not in RAISED:
            raise
        return ""


def _checksum(
    connection: psycopg.Connection[Any], people: tuple[Person, ...], *, swept: bool
) -> str:
    """Over every row of these users, in every table with a user_id, as the superuser sees them.

    After the housekeeping has swept, over those that have not expired.
    """
    connection.execute("SELECT set_config('role', 'none', true)")
    ids = [person.user_id for person in people]
    rows = connection.execute(
        " UNION ALL ".join(
            f"SELECT '{table}', {_KEPT.get(table, 't') if swept else 't'}::text FROM {table} AS t"
            " WHERE user_id = ANY($1::uuid[])"
            f" AND {_LIVES.get(table, True) if swept else True}"
            for table, has_user in TABLES.items()
            if has_user
        ).encode(),
        [ids],
    ).fetchall()
    return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()


def _person(connection: psycopg.Connection[Any], name: str) -> Person:
    """A new user with a session, a task, its key, a count and an event, made behind the service's back."""
    user_id, session_id, token_id, task_id = (str(uuid.uuid4()) for _ in range(4))
    who = Person(
        user_id,
        session_id,
        token_id,
        task_id,
        f"{name}@{uuid.uuid4().hex}.example",
        f"{name}'s own",
    )
    connection.execute(
        "INSERT INTO users (user_id, email, password_hash) VALUES ($1, $2, $3)",
        [who.user_id, who.email, HASH],
    )
    connection.execute(
        "INSERT INTO sessions (user_id, id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
        [who.user_id, who.session_id],
    )
    connection.execute(
        "INSERT INTO tasks (user_id, id, title) VALUES ($1, $2, $3)",
        [who.user_id, who.task_id, who.title],
    )
    connection.execute(
        "INSERT INTO task_counts (user_id, tasks, numbered, text_bytes, revision, deletions)"
        " VALUES ($1, 1, 1, 7, 9, 2)",
        [who.user_id],
    )
    connection.execute(
        "INSERT INTO deleted_tasks (user_id, id, revision, deleted_at)"
        " VALUES ($1, gen_random_uuid(), 1, now() - interval '31 days'), ($1, gen_random_uuid(), 2, now())",
        [who.user_id],
    )
    # used today, so that its next use changes nothing; and one that the sweep would remove
    connection.execute(
        "INSERT INTO api_tokens (user_id, id, name, scope, created_at, expires_at, last_used_on)"
        " VALUES ($1, $2, $3, 'write', now(), NULL, now() AT TIME ZONE 'UTC'),"
        " ($1, gen_random_uuid(), $3, 'read', now() - interval '2 days', now() - interval '1 day', NULL)",
        [who.user_id, who.token_id, who.title],
    )
    # one that is no longer good, which the statements that remove those would meet; and one that they leave
    connection.execute(
        "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
        " VALUES ($1, 'k', sha256(''), $2, now() - interval '2 days'), ($1, 'good', sha256(''), $2, now())",
        [who.user_id, who.task_id],
    )
    connection.execute(
        "INSERT INTO batch_results (user_id, key, place, answer, created_at)"
        " VALUES ($1, 'k', 0, $2, now() - interval '2 days'), ($1, 'good', 0, $2, now())",
        [who.user_id, f'[["{who.title}"]]'],
    )
    connection.execute(
        "INSERT INTO reset_codes (user_id, code_hash, expires_at)"
        " VALUES ($1::uuid, sha256(convert_to($1::uuid::text, 'UTF8')), now() + interval '1 hour')",
        [who.user_id],
    )
    connection.execute(
        "INSERT INTO sign_in_networks (user_id, network, seen_on)"
        " VALUES ($1, '192.0.2.1', current_date - 100), ($1, '192.0.2.9', current_date)",
        [who.user_id],
    )
    connection.execute(
        "INSERT INTO auth_events (event, user_id, address, request_id)"
        " VALUES ('login', $1, '192.0.2.1', 'r')",
        [who.user_id],
    )
    return who


def _values(ids: Person) -> dict[str, Any]:
    """A value for each parameter of sql/; a new one needs a line here."""
    return {
        USER: ids.user_id,
        "user_id": ids.user_id,
        "session_id": ids.session_id,
        "token_id": ids.token_id,
        "scope": "write",
        "name": "new",
        "expires_in_days": 90,
        "other_tokens": 10,
        "task_id": ids.task_id,
        "users": "{" + ids.user_id + "}",
        "email": ids.email,
        "after": "",
        "code_hash": hashlib.sha256(ids.user_id.encode()).hexdigest(),
        "password_hash": HASH,
        "password_version": 1,
        "title": "new",
        "is_completed": True,
        "max_tasks": 10,
        "max_text": 1000,
        "max_deletions": 1,
        "new_id": "00000000-0000-4000-8000-000000000001",
        "creates": '[{"place": 0, "id": "00000000-0000-4000-8000-000000000002", "title": "new",'
        ' "priority": 0, "tags": ""}, {"place": 1, "id": null, "title": "new",'
        ' "priority": 0, "tags": "a,b"}]',
        "if_revision": None,
        "sets_notes": True,
        "notes": "new",
        "sets_due_date": True,
        "due_date": "2026-12-24",
        "sets_due_at": True,
        "due_at": None,
        "priority": 1,
        "tags": "a,b",
        "other_keys": 10,
        "max_answers": 1000,
        "place": 1,
        "kept": 1,
        "most": 10,
        "days": 90,
        "last_created_at": "infinity",
        "last_updated_at": "infinity",
        "last_due": "-infinity",
        "last_priority": 4,
        "last_title": "",
        "last_id": ids.task_id,
        # what all these tasks match, but for is_completed
        "q": "'s own",
        "tag": None,
        "capitals": "",
        "letters": "",
        "min_priority": None,
        "due_from": None,
        "due_to": None,
        "page_size": 10,
        "since": 0,
        "by": 1,
        "renewed_id": str(uuid.uuid4()),
        "lifetime": 60,
        "longest": 3600,
        "grace": 60,
        "others": True,
        "last_occurred_at": "infinity",
        "last_number": 0,
        "event": "login",
        "reason": None,
        "address": "192.0.2.1",
        "network": "192.0.2.1",
        "here": "k1",
        "elsewhere": "k2",
        "doubt": 30,
        "counted_at": "2026-01-01T00:00:00Z",
        "user_agent": None,
        "request_id": "r",
        "bounded": True,
        "key": "k",
        "request_hash": "00" * 32,
        "cost": 1,
        "keys": "{k}",
        "allowed": "{5}",
        "window": 60,
        "until_commit": True,
        "seconds": 4,
        "statement": "none",
        "id": "0000.none",
        "checksum": "0" * 64,
        "names": "{users,tasks}",
        "login": None,
    }
