"""The call that takes many changes at once, described for the OpenAPI document."""

from todo_api.batches.schemas import Batch, BatchAnswer
from todo_api.docs.vocabulary import (
    BODY_PROBLEMS,
    EXAMPLE_META,
    EXAMPLE_MOMENT,
    EXAMPLE_USER_ID,
    JSON,
    TOKEN_PROBLEMS,
    USER_ID,
    Answer,
    Operation,
)
from todo_api.tasks.operations import KEY

_NEW_ID = "5a0b7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"
_OLD_ID = "c7d1f0f4-3a55-4f3c-9a0e-1b9e7b0f3c21"
_TASK = {
    "id": _NEW_ID,
    "user_id": EXAMPLE_USER_ID,
    "title": "Buy oat milk",
    "notes": None,
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
_OPERATIONS = [
    {
        "op": "create",
        "id": _NEW_ID,
        "title": "Buy oat milk",
        "due_date": "2026-12-24",
        "priority": 1,
        "tags": ["shopping"],
    },
    {"op": "update", "id": _OLD_ID, "title": "Buy bread", "if_revision": 3},
    {"op": "complete", "id": _NEW_ID},
    {"op": "delete", "id": _OLD_ID},
]
_RESULTS = [
    {"status": 201, "task": _TASK},
    {"status": 409, "code": "revision-conflict"},
    {
        "status": 200,
        "task": _TASK | {"is_completed": True, "completed_at": EXAMPLE_MOMENT, "revision": 8},
    },
    {"status": 204},
]

OPERATIONS = {
    "batches.run_batch": Operation(
        summary="Change many tasks at once",
        description="Up to 100 operations, done one after the other in the order sent, in one transaction. "
        "Each sees what those before it have done, and takes the next revision. An `op` is `create`, "
        "`update`, `complete` or `delete`, with the fields of the single call. `data` has one result for "
        "each, in order: the status of the single call, with the task, or with the code of why it was not "
        "done. What can be done is done. A body of the wrong shape is 422 as a whole, and nothing is done: "
        "`errors` names every wrong member of every operation, such as `operations[3].title`, and 10 000 at "
        "most. The body may have 512 KiB. With an `Idempotency-Key` it can be sent again when no answer "
        "came, as a create can: the same key with the same body is answered as the first time, for 24 hours.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID, KEY),
        body=Batch,
        body_examples={
            "several": {"operations": _OPERATIONS},
            "one": {"operations": [{"op": "create", "title": "Buy oat milk"}]},
        },
        answers={
            200: Answer(
                description="What became of each operation.",
                body=BatchAnswer,
                media_types=(JSON,),
                headers=("Idempotent-Replayed",),
                example={"data": _RESULTS, "meta": EXAMPLE_META},
            )
        },
        problems=(
            *TOKEN_PROBLEMS,
            *BODY_PROBLEMS,
            "idempotency-key-reused",
            "rate-limited",
            "unavailable",
        ),
    ),
}
