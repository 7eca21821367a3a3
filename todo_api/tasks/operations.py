"""The calls on tasks, described for the OpenAPI document."""

from dataclasses import replace
from typing import Any

from todo_api.body.media_types import MERGE_PATCH
from todo_api.docs.query_parameters import of_query
from todo_api.docs.vocabulary import (
    BODY_PROBLEMS,
    EXAMPLE_META,
    EXAMPLE_MOMENT,
    EXAMPLE_USER_ID,
    IF_NONE_MATCH,
    JSON,
    NOT_MODIFIED,
    TOKEN_PROBLEMS,
    USER_ID,
    Answer,
    Operation,
    Parameter,
)
from todo_api.tasks.idempotency import IDEMPOTENCY_KEY
from todo_api.tasks.parameters import DELETE_QUERY
from todo_api.tasks.schemas import TaskAnswer, TaskChange, TaskCreate

_EXAMPLE_TASK_ID = "5a0b7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"
EXAMPLE_TASK = {
    "id": _EXAMPLE_TASK_ID,
    "user_id": EXAMPLE_USER_ID,
    "title": "Buy oat milk",
    "notes": "The one in the blue carton",
    "due_date": "2026-12-24",
    "due_at": None,
    "priority": 1,
    "tags": ["shopping"],
    "is_completed": False,
    "completed_at": None,
    "created_at": EXAMPLE_MOMENT,
    "updated_at": EXAMPLE_MOMENT,
    "revision": 7,
}
_RENAMED = EXAMPLE_TASK | {"title": "Buy two cartons of oat milk", "revision": 8}
_DONE = EXAMPLE_TASK | {"is_completed": True, "completed_at": EXAMPLE_MOMENT, "revision": 8}

_TASK_ID = Parameter(
    name="task_id",
    location="path",
    description="A task of this user.",
    schema={"type": "string", "format": "uuid"},
    in_paths=_EXAMPLE_TASK_ID,
)
KEY = Parameter(
    name="Idempotency-Key",
    location="header",
    description="1 to 255 visible ASCII characters, new for each task or batch: a random UUID does well. "
    "Taken as it stands, quotes included.",
    schema={"type": "string", "pattern": f"^{IDEMPOTENCY_KEY}$"},
)
_ONE_TASK = (USER_ID, _TASK_ID)


def _task(description: str, task: dict[str, Any], *headers: str) -> dict[int, Answer]:
    return {
        200: Answer(
            description=description,
            body=TaskAnswer,
            media_types=(JSON,),
            headers=headers,
            example={"data": task, "meta": EXAMPLE_META},
        )
    }


_UPDATE = Operation(
    summary="Change a task",
    description="What is absent keeps its value. Null clears `notes`, `due_date` and `due_at`, and sets "
    "`priority` and `tags` to their defaults. A value for one of `due_date` and `due_at` clears the other. "
    "`is_completed: true` sets `completed_at` once, `false` clears it. What changes nothing moves neither "
    "`updated_at` nor `revision`. With `if_revision` the change is made only if the task has this revision.",
    needs_token=True,
    takes_api_tokens=True,
    parameters=_ONE_TASK,
    body=TaskChange,
    body_examples={
        "rename": {"title": "Buy two cartons of oat milk"},
        "complete": {"is_completed": True},
        "clear": {"notes": None, "due_date": None, "if_revision": 7},
    },
    answers=_task("The task as it is now.", _RENAMED),
    problems=(
        *TOKEN_PROBLEMS,
        *BODY_PROBLEMS,
        "not-found",
        "revision-conflict",
        "task-quota-exceeded",
        "unavailable",
    ),
)

OPERATIONS = {
    "tasks.create_task": Operation(
        summary="Add a task",
        description="When no answer came, or a 503, it can be sent again and creates one task at most, with "
        "an `id` of the client's choosing (another user may have the same) or with an `Idempotency-Key`: "
        "for 24 hours the same key with the same body is answered as the first time, whatever became of the "
        "task since, and creates nothing. With another body it is 422. A user may send 10 000 requests with "
        "a key in 24 hours, or as many as a user may have tasks if that is more, and the answers that are "
        "kept for them may have 10 MiB, or `MAX_TEXT_PER_USER` if that is more. One more is 429 and creates "
        "nothing; `Retry-After` says when there is room again. A create without a key needs no room.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID, KEY),
        body=TaskCreate,
        body_examples={
            "milk": {"title": "Buy oat milk"},
            "everything": {
                "title": "Buy oat milk",
                "notes": "The one in the blue carton",
                "due_date": "2026-12-24",
                "priority": 1,
                "tags": ["shopping"],
            },
        },
        answers={
            200: Answer(
                description="The task with the `id` of the body, as it is: nothing was created.",
                body=TaskAnswer,
                media_types=(JSON,),
                headers=("Idempotent-Replayed",),
                example={"data": EXAMPLE_TASK, "meta": EXAMPLE_META},
            ),
            201: Answer(
                description="The new task.",
                body=TaskAnswer,
                media_types=(JSON,),
                headers=("Location", "Idempotent-Replayed"),
                example={"data": EXAMPLE_TASK, "meta": EXAMPLE_META},
                links=(
                    "tasks.get_task",
                    "tasks.update_task",
                    "tasks.complete_task",
                    "tasks.delete_task",
                ),
            ),
        },
        problems=(
            *TOKEN_PROBLEMS,
            *BODY_PROBLEMS,
            "idempotency-key-reused",
            "task-deleted",
            "task-quota-exceeded",
            "rate-limited",
            "unavailable",
        ),
    ),
    "tasks.get_task": Operation(
        summary="One task",
        description="A task that is deleted, another user's, or that never was, is not found.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(*_ONE_TASK, IF_NONE_MATCH),
        answers={**_task("The task.", EXAMPLE_TASK, "ETag"), 304: NOT_MODIFIED},
        problems=(*TOKEN_PROBLEMS, "not-found", "unavailable"),
    ),
    "tasks.update_task": _UPDATE,
    "tasks.patch_task": replace(
        _UPDATE,
        summary="Change a task, as PUT does",
        body_types=(JSON, MERGE_PATCH),
    ),
    "tasks.complete_task": Operation(
        summary="Complete a task",
        description="Completing it again changes nothing.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=_ONE_TASK,
        answers=_task("The task as it is now.", _DONE),
        problems=(*TOKEN_PROBLEMS, "not-found", "unavailable"),
    ),
    "tasks.delete_task": Operation(
        summary="Delete a task",
        description="For good. A second call finds nothing. For 30 days no task can be created with its id.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(*_ONE_TASK, *of_query(DELETE_QUERY)),
        answers={204: Answer(description="The task is gone.")},
        problems=(
            *TOKEN_PROBLEMS,
            "not-found",
            "revision-conflict",
            "validation-error",
            "unavailable",
        ),
    ),
}
