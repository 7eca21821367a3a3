"""What goes in and out of the calls on tasks: the classes that validate, become JSON, and are documented."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from todo_api.web.schemas import AnswerMeta, Id, Moment
from todo_api.web.text import (
    AROUND,
    CONTROL,
    CONTROL_CHARACTER,
    INVISIBLE,
    INVISIBLE_ASTRAL,
    VISIBLE,
    WHITE_SPACE,
    for_json_schema,
    refuse_surrogates,
    trimmed,
)

TITLE_MAX = 500
_EDGE = f"[^{WHITE_SPACE}{CONTROL}]"


def clean_title(text: str) -> str:
    """The title as it is stored; ValueError says what is wrong with it."""
    text = trimmed(text)
    if not 1 <= len(text) <= TITLE_MAX:
        raise ValueError(
            f"must have 1 to {TITLE_MAX} characters, white space around it not counted"
        )
    if CONTROL_CHARACTER.search(text):
        raise ValueError("must not contain control characters, such as line breaks")
    refuse_surrogates(text)
    if not VISIBLE.search(text):
        raise ValueError("must contain something visible")
    return text


Title = Annotated[
    str,
    Meta(
        description="Trimmed of white space, then 1 to 500 characters: no control characters, "
        "not only invisible ones.",
        examples=["Buy oat milk"],
        extra={"clean": clean_title},
        extra_json_schema={
            "minLength": 1,
            "pattern": for_json_schema(
                f"^{AROUND}{_EDGE}([^{CONTROL}]{{0,{TITLE_MAX - 2}}}{_EDGE})?{AROUND}$"
            ),
            "not": {
                "pattern": for_json_schema(
                    f"^[{WHITE_SPACE}{CONTROL}{INVISIBLE}{INVISIBLE_ASTRAL}]*$"
                )
            },
        },
    ),
]


class NewTask(Struct, forbid_unknown_fields=True):
    """A task to create."""

    title: Title


class TaskChange(Struct, forbid_unknown_fields=True):
    """What to change of a task; what is absent keeps its value."""

    title: Title | UnsetType = UNSET
    is_completed: bool | UnsetType = UNSET


class Task(Struct, gc=False):  # texts alone: the garbage collector need not walk a list of 1 000
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
