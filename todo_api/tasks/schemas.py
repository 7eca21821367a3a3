"""The bodies and answers of the calls on tasks: validation, JSON and JSON Schema from the same classes."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from todo_api.web.schemas import AnswerMeta, Id, Moment
from todo_api.web.text import PUBLISHED_LINE, clean_line

TITLE_MAX = 500


def clean_title(text: str) -> str:
    """The title as it is stored; ValueError says what is wrong with it."""
    return clean_line(text, TITLE_MAX)


Title = Annotated[
    str,
    Meta(
        description=f"White space around it is removed; then it has 1 to {TITLE_MAX} characters (code "
        "points), no control characters such as line breaks, and something visible. Emoji and text from "
        "right to left come back as sent.",
        examples=["Buy oat milk"],
        extra={"clean": clean_title},
        extra_json_schema={"minLength": 1, "maxLength": TITLE_MAX, "pattern": PUBLISHED_LINE},
    ),
]


class TaskCreate(Struct, forbid_unknown_fields=True):
    """A task to create."""

    title: Title


class TaskChange(Struct, forbid_unknown_fields=True):
    """What to change of a task; what is absent keeps its value."""

    title: Title | UnsetType = UNSET
    is_completed: bool | UnsetType = UNSET


class Task(Struct, gc=False):  # only strings: the garbage collector need not visit a list of 1 000
    """A task of the user."""

    id: Id
    user_id: Id
    title: Annotated[str, Meta(examples=["Buy oat milk"])]
    is_completed: bool
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment


class ListMeta(AnswerMeta):
    """About this answer and its list."""

    count: Annotated[int, Meta(ge=0, examples=[1], description="How many tasks `data` has.")]
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


class TaskAnswer(Struct):
    """One task."""

    data: Task
    meta: AnswerMeta


class TaskListAnswer(Struct):
    """Tasks of the user, newest first: all of them or, with a `limit`, a page."""

    data: list[Task]
    meta: ListMeta
