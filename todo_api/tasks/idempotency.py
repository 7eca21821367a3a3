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
ANSWER_BYTES_PER_DAY = (
    10 * 1024 * 1024
)  # of a user; as many as the tasks' text, where that may be more

ENVIRON = "HTTP_IDEMPOTENCY_KEY"  # the header's name in WSGI
IDEMPOTENCY_KEY = "[!-~]{1,255}"
_KEY = re.compile(IDEMPOTENCY_KEY)
_NO_ROOM = (
    "Too many requests with an Idempotency-Key in the last 24 hours, or too long answers to them. Nothing "
    "was done, and the keys that were accepted stay good."
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


def hash_of(body: msgspec.Struct) -> str:
    """SHA-256 of the parsed body: other white space or escapes in the JSON don't make it another body."""
    return hashlib.sha256(msgspec.json.encode(body)).hexdigest()


def other_keys(quotas: Mapping[str, Any]) -> int:
    """How many other keys of the last 24 hours a user may have."""
    return max(KEYS_PER_DAY, quotas["MAX_TASKS_PER_USER"]) - 1  # type: ignore[no-any-return]


def most_answers(quotas: Mapping[str, Any]) -> int:
    """How many bytes of answers are kept for a user when one more comes."""
    return max(ANSWER_BYTES_PER_DAY, quotas["MAX_TEXT_PER_USER"])  # type: ignore[no-any-return]


def no_room(seconds: int) -> Problem:
    """429: there is room for a key in so many seconds."""
    return Problem("rate-limited", _NO_ROOM, headers={"Retry-After": str(seconds)})


def reused() -> Problem:
    """422: the key came with something else before."""
    error = FieldError(field="Idempotency-Key", message="was sent with another body before")
    return Problem("idempotency-key-reused", errors=[error])


def create(
    database: Database, who: Caller, key: str, body: TaskCreate, quotas: Mapping[str, Any]
) -> Outcome:
    """Add a task, unless the key has been used already. Raises Problem."""
    new = of_new_task(body, quotas)
    values = new | {
        "key": key,
        "request_hash": hash_of(body),
        "new_id": body.id or None,
        "other_keys": other_keys(quotas),
        "max_answers": most_answers(quotas),
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
        raise no_room(room_in)
    if refusal == "idempotency-key-reused":
        raise reused()
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
