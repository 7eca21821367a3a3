"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a repeated create creates nothing."""

import hashlib
import re
from typing import NamedTuple

import msgspec

from todo_api.database.calls import Call, Caller
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskCreate
from todo_api.web.problems import Problem
from todo_api.web.schemas import FieldError

KEYS_PER_DAY = 10_000  # of a user; as many as the user may have tasks, where that is more

ENVIRON = "HTTP_IDEMPOTENCY_KEY"  # the header's name in WSGI
IDEMPOTENCY_KEY = "[!-~]{1,255}"
_KEY = re.compile(IDEMPOTENCY_KEY)
_NO_ROOM = (
    "Too many tasks were created with an Idempotency-Key in the last 24 hours. Nothing was created, and "
    "the keys that were accepted stay good."
)


class Outcome(NamedTuple):
    """The task as it was first answered, and whether this answer repeats an earlier one."""

    task: Task
    is_replay: bool


def key_of(sent: str) -> str:
    """The key that was sent, unchanged, quotes included. Raises Problem."""
    if not _KEY.fullmatch(sent):
        raise Problem(
            "malformed-request",
            "The Idempotency-Key must be 1 to 255 visible ASCII characters, and be sent once.",
        )
    return sent


def create(database: Database, who: Caller, key: str, body: TaskCreate, max_tasks: int) -> Outcome:
    """Add a task, unless the key has made one already. Raises Problem."""
    # of the parsed body: other white space or escapes in the JSON don't make it another body
    request_hash = hashlib.sha256(msgspec.json.encode(body)).hexdigest()
    values = {
        "key": key,
        "request_hash": request_hash,
        "title": body.title,
        "max_tasks": max_tasks,
        "other_keys": max(KEYS_PER_DAY, max_tasks) - 1,
    }
    _, _, found = database.as_user(
        who,
        Call("users/take_turn"),
        Call("idempotency_keys/delete_expired", {"key": key}),
        Call("tasks/create_once", values),
    )
    if not found:
        raise Problem("task-quota-exceeded")
    [(is_replay, is_same, task_id, created_at, room_in)] = found
    if room_in is not None:
        raise Problem("rate-limited", _NO_ROOM, headers={"Retry-After": str(room_in)})
    if not is_same:
        error = FieldError(field="Idempotency-Key", message="was sent with another body before")
        raise Problem("idempotency-key-reused", errors=[error])
    task = as_task(task_id, who.user_id, body.title, False, None, created_at, created_at)
    return Outcome(task, is_replay)
