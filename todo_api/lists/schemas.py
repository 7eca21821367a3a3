"""The answer of the call for the list: JSON and JSON Schema from the same classes."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from todo_api.tasks.schemas import Task
from todo_api.web.schemas import AnswerMeta


class ListMeta(AnswerMeta):
    """About this answer and its list."""

    count: Annotated[int, Meta(ge=0, examples=[1], description="How many tasks `data` has.")]
    revision: Annotated[
        int,
        Meta(
            ge=0,
            examples=[7],
            description="The user's latest when the list was read, or an older one.",
        ),
    ]
    next_cursor: (
        Annotated[
            str | None,
            Meta(
                description="With a `limit` only: what leads to the next page; null on the last one.",
                examples=["AAZg8uenZYBaC3pSnIRPDo88bx8cDZ8Q1lDw"],
            ),
        ]
        | UnsetType
    ) = UNSET


class TaskListAnswer(Struct):
    """Tasks of the user, all that were asked for or, with a `limit`, a page of them."""

    data: list[Task]
    meta: ListMeta
