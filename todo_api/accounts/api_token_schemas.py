"""The bodies and answers of the calls on API tokens."""

from functools import partial
from typing import Annotated, Literal

from msgspec import Meta, Struct

from todo_api.web.schemas import AnswerMeta, Id, Moment
from todo_api.web.text import PUBLISHED_LINE, clean_line

NAME_MAX = 100
DAYS_MAX = 366
DAYS_USUAL = 365

Name = Annotated[
    str,
    Meta(
        description="What the token is for. White space around it is removed; then it has 1 to "
        f"{NAME_MAX} characters, no control characters, and something visible.",
        examples=["Nightly report"],
        extra={"clean": partial(clean_line, most=NAME_MAX)},
        extra_json_schema={"minLength": 1, "maxLength": NAME_MAX, "pattern": PUBLISHED_LINE},
    ),
]
Scope = Annotated[
    Literal["read", "write"],
    Meta(
        description="`write` includes reading. With `read`, the database itself refuses to write.",
        extra_json_schema={"type": "string"},
    ),
]
Days = Annotated[
    int, Meta(ge=1, le=DAYS_MAX, description="Days from now, or null for never.", examples=[90])
]


class ApiTokenCreate(Struct, forbid_unknown_fields=True):
    """An API token to make."""

    name: Name
    scope: Scope
    expires_in_days: Days | None = DAYS_USUAL


class ApiToken(Struct):
    """An API token, without what a program sends."""

    id: Id
    name: Annotated[str, Meta(examples=["Nightly report"])]
    scope: Scope
    created_at: Moment
    expires_at: Annotated[Moment | None, Meta(description="Null: never.")]
    last_used_on: Annotated[
        str | None,
        Meta(
            description="The day, in UTC, of the last request with it.",
            examples=["2026-11-29"],
            extra_json_schema={"format": "date"},
        ),
    ]


class ShownApiToken(ApiToken):
    """An API token with the text that a program sends, which is never shown again."""

    token: Annotated[
        str,
        Meta(
            description="Sent as `Authorization: Bearer …`. The last six characters are a checksum.",
            examples=["todo_w0NDV…"],
        ),
    ]


class ShownApiTokenAnswer(Struct):
    """A new API token."""

    data: ShownApiToken
    meta: AnswerMeta


class ApiTokenListMeta(AnswerMeta):
    """About this answer and its list."""

    count: Annotated[int, Meta(ge=0, examples=[1], description="How many tokens `data` has.")]


class ApiTokenListAnswer(Struct):
    """The user's API tokens, newest first."""

    data: list[ApiToken]
    meta: ApiTokenListMeta
