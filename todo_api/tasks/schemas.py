"""The bodies and answers of the calls on tasks: validation, JSON and JSON Schema from the same classes."""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from todo_api.tasks.fields import (
    DATE,
    MOMENT,
    NOTES_MAX,
    PUBLISHED_LINES,
    TAG_MAX,
    TAGS_MAX,
    TITLE_MAX,
    UUID,
    clean_date,
    clean_id,
    clean_moment,
    clean_notes,
    clean_tags,
    clean_title,
)
from todo_api.web.schemas import AnswerMeta, Id, Moment
from todo_api.web.text import PUBLISHED_CONTROL, PUBLISHED_LINE

TAG_PATTERN = PUBLISHED_LINE.replace(PUBLISHED_CONTROL, f"{PUBLISHED_CONTROL},")
LAST_REVISION = 10**18 - 1

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
Notes = Annotated[
    str,
    Meta(
        description=f"Up to {NOTES_MAX} characters. Line ends become `\\n`; they and tabs are the only "
        "control characters. Without anything but white space it is null.",
        examples=["The one in the blue carton"],
        extra={"clean": clean_notes},
        extra_json_schema={
            "maxLength": NOTES_MAX,
            "pattern": PUBLISHED_LINES,
        },
    ),
]
DueDate = Annotated[
    str,
    Meta(
        description="A day of the calendar, in no time zone, from 1970 to 9999. Setting it clears `due_at`.",
        examples=["2026-12-24"],
        extra={"clean": clean_date},
        extra_json_schema={"format": "date", "pattern": f"^{DATE}$"},
    ),
]
DueAt = Annotated[
    str,
    Meta(
        description="A moment in RFC 3339, with seconds and an offset, in the years 1970 to 9999 of UTC. "
        "What is finer than a microsecond is cut off. Setting it clears `due_date`.",
        examples=["2026-12-24T18:00:00+01:00"],
        extra={"clean": clean_moment},
        extra_json_schema={"format": "date-time", "pattern": f"^{MOMENT}$"},
    ),
]
Priority = Annotated[
    int, Meta(ge=0, le=3, description="0 (none) to 3 (high); null is 0.", examples=[1])
]
Tag = Annotated[
    str, Meta(extra_json_schema={"minLength": 1, "maxLength": TAG_MAX, "pattern": TAG_PATTERN})
]
Tags = Annotated[
    tuple[Tag, ...],
    Meta(
        max_length=TAGS_MAX,
        description=f"Up to {TAGS_MAX}. White space around each is removed; then it has 1 to {TAG_MAX} "
        "characters, under the rules of a title, and no comma. Of those that differ in letter case only, the "
        "first is kept. Null is none.",
        examples=[["shopping"]],
        extra={"clean": clean_tags},
    ),
]
NewId = Annotated[
    str,
    Meta(
        description="A UUID of the client's choosing, of any version. If the user has a task with that id, "
        "nothing is created, and the task is the answer.",
        extra={"clean": clean_id},
        extra_json_schema={"format": "uuid", "pattern": f"^{UUID}$"},
    ),
]
Revision = Annotated[
    int,
    Meta(
        ge=0,
        le=LAST_REVISION,
        description="Refuses the change unless the task has this revision.",
        examples=[7],
    ),
]


class TaskCreate(Struct, forbid_unknown_fields=True):
    """A task to create."""

    ONE_OF: ClassVar = ("due_date", "due_at")

    title: Title
    notes: Notes | UnsetType | None = UNSET
    due_date: DueDate | UnsetType | None = UNSET
    due_at: DueAt | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    id: NewId | UnsetType = UNSET


class TaskChange(Struct, forbid_unknown_fields=True):
    """What to change of a task: what is absent keeps its value, null clears."""

    ONE_OF: ClassVar = ("due_date", "due_at")

    title: Title | UnsetType = UNSET
    notes: Notes | UnsetType | None = UNSET
    due_date: DueDate | UnsetType | None = UNSET
    due_at: DueAt | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    is_completed: bool | UnsetType = UNSET
    if_revision: Revision | UnsetType = UNSET


class Task(Struct, gc=False):  # only strings: the garbage collector need not visit a list of 1 000
    """A task of the user."""

    id: Id
    user_id: Id
    title: Annotated[str, Meta(examples=["Buy oat milk"])]
    notes: Annotated[str | None, Meta(examples=["The one in the blue carton"])]
    due_date: Annotated[
        str | None, Meta(examples=["2026-12-24"], extra_json_schema={"format": "date"})
    ]
    due_at: Moment | None
    priority: Annotated[int, Meta(ge=0, le=3, examples=[1])]
    tags: Annotated[tuple[str, ...], Meta(examples=[["shopping"]])]
    is_completed: bool
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment
    revision: Annotated[
        int,
        Meta(
            ge=0,
            description="Grows with every change: each change of any of the user's tasks takes the next one.",
            examples=[7],
        ),
    ]


class TaskAnswer(Struct):
    """One task."""

    data: Task
    meta: AnswerMeta
