"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a repeated create creates nothing."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from todo_api.database.calls import Call, Caller
from todo_api.database.data import Database
from todo_api.tasks.parameters import of_new_task
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskCreate
from todo_api.tasks.turn import in_turn
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
    """The task as it was first answered, whether it was created then, and whether that is repeated now."""

    task: Task
    is_new: bool
    is_replay: bool


def key_of(sent: str) -> str:
    """The key that was sent, unchanged, quotes included. Raises Problem."""
    if not _KEY.fullmatch(sent):
        raise Problem(
            "malformed-request",
            "The Idempotency-Key must be 1 to 255 visible ASCII characters, and be sent once.",
        )
    return sent


def create(
    database: Database, who: Caller, key: str, body: TaskCreate, quotas: Mapping[str, Any]
) -> Outcome:
    """Add a task, unless the key has been used already. Raises Problem."""
    # of the parsed body: other white space or escapes in the JSON don't make it another body
    request_hash = hashlib.sha256(msgspec.json.encode(body)).hexdigest()
    new = of_new_task(body, quotas)
    values = new | {
        "key": key,
        "request_hash": request_hash,
        "new_id": body.id or None,
        "other_keys": max(KEYS_PER_DAY, new["max_tasks"]) - 1,
    }
    _, found = in_turn(
        database,
        who,
        Call("idempotency_keys/delete_expired", {"key": key}),
        Call("tasks/create_once", values),
    )
    if not found:
        raise Problem("task-quota-exceeded")
    [(refusal, is_replay, task_id, created_at, revision, answer, room_in)] = found
    if refusal == "rate-limited":
        raise Problem(refusal, _NO_ROOM, headers={"Retry-After": str(room_in)})
    if refusal == "idempotency-key-reused":
        error = FieldError(field="Idempotency-Key", message="was sent with another body before")
        raise Problem(refusal, errors=[error])
    if refusal:
        raise Problem(refusal)
    if answer is not None:
        return Outcome(as_task(*msgspec.json.decode(answer)), is_new=False, is_replay=is_replay)
    task = as_task(
        task_id,
        who.user_id,
        body.title,
        new["notes"],
        new["due_date"],
        None,
        new["priority"],
        new["tags"],
        False,
        None,
        created_at,
        created_at,
        revision,
    )
    task.due_at = new["due_at"]  # as it is answered already
    return Outcome(task, is_new=True, is_replay=is_replay)
