"""The answer of the call for changes: JSON and JSON Schema from the same classes."""

from typing import Annotated

from msgspec import Meta, Struct

from todo_api.tasks.schemas import Task
from todo_api.web.schemas import AnswerMeta, Id


class DeletedTask(Struct, gc=False):
    """A task that was deleted."""

    id: Id
    revision: Annotated[int, Meta(ge=1, examples=[8], description="That of the deletion.")]


class Changes(Struct):
    """What has changed, lowest revisions first over both lists."""

    tasks: Annotated[list[Task], Meta(description="As they are now.")]
    deleted: list[DeletedTask]


class ChangesMeta(AnswerMeta):
    """About this answer, and how to go on."""

    revision: Annotated[
        int,
        Meta(
            ge=0,
            examples=[8],
            description="Send it as `since` the next time. While `has_more` is true it may be another number "
            "than a revision; below 2^53 in any case.",
        ),
    ]
    has_more: Annotated[
        bool, Meta(description="Whether more has changed: ask again at once.", examples=[False])
    ]


class ChangesAnswer(Struct):
    """What has changed since a revision."""

    data: Changes
    meta: ChangesMeta
