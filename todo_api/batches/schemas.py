"""The body and the answer of a batch."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from todo_api.tasks.fields import UUID, clean_id
from todo_api.tasks.schemas import Revision, Task, TaskChange, TaskCreate
from todo_api.web.schemas import AnswerMeta

MOST_OPERATIONS = 100

TaskId = Annotated[
    str,
    Meta(
        description="A task of the user. An `id` that an operation before has created will do.",
        extra={"clean": clean_id},
        extra_json_schema={"format": "uuid", "pattern": f"^{UUID}$"},
    ),
]


class CreateOperation(TaskCreate, tag_field="op", tag="create", forbid_unknown_fields=True):
    """Create a task, as `POST …/tasks` does."""


class UpdateOperation(
    TaskChange, tag_field="op", tag="update", forbid_unknown_fields=True, kw_only=True
):
    """Change a task, as `PUT …/tasks/{id}` does."""

    id: TaskId


class CompleteOperation(Struct, tag_field="op", tag="complete", forbid_unknown_fields=True):
    """Complete a task, as `PATCH …/tasks/{id}/complete` does."""

    id: TaskId


class DeleteOperation(Struct, tag_field="op", tag="delete", forbid_unknown_fields=True):
    """Delete a task, as `DELETE …/tasks/{id}` does."""

    id: TaskId
    if_revision: Revision | UnsetType = UNSET


Operation = CreateOperation | UpdateOperation | CompleteOperation | DeleteOperation


class Batch(Struct, forbid_unknown_fields=True):
    """Changes of tasks, in the order in which they are made."""

    operations: Annotated[tuple[Operation, ...], Meta(min_length=1, max_length=MOST_OPERATIONS)]


class Result(Struct):
    """What became of one operation: what the single call would have answered."""

    status: Annotated[
        int,
        Meta(
            description="201 created, 200 changed or there already, 204 deleted; 404 and 409 with a `code`.",
            examples=[201],
        ),
    ]
    task: (
        Annotated[Task, Meta(description="With 200 and 201: the task as it is then.")] | UnsetType
    ) = UNSET
    code: (
        Annotated[
            str,
            Meta(
                description="With 404 and 409: why it was not done.",
                examples=["not-found"],
                extra_json_schema={
                    "enum": [
                        "not-found",
                        "revision-conflict",
                        "task-deleted",
                        "task-quota-exceeded",
                    ]
                },
            ),
        ]
        | UnsetType
    ) = UNSET


class BatchAnswer(Struct):
    """The results of a batch: one for each operation, in the order sent."""

    data: list[Result]
    meta: AnswerMeta
