"""What goes in and what comes out: the classes that validate, that become JSON, and that OpenAPI shows."""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
PASSWORD_MIN, PASSWORD_MAX = 8, 1024
TITLE_MAX = 500

# Unicode's White_Space, https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
# (str.strip() would also take the separators U+001C to U+001F, which are control characters.)
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_WHITE_SPACE_CHARACTERS = re.sub(
    "(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), WHITE_SPACE
)
CONTROL = "\x00-\x1f\x7f-\x9f"
# Characters that show nothing: soft hyphen, joiners, fillers, direction marks, variation selectors, …
INVISIBLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
# The same beyond U+FFFF: controls of shorthand and of musical notation, language tags, variation selectors
INVISIBLE_ASTRAL = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
_CONTROL = re.compile(f"[{CONTROL}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_VISIBLE = re.compile(f"[^{WHITE_SPACE}{CONTROL}{INVISIBLE}{INVISIBLE_ASTRAL}]")
_EMAIL_PART = f"[^@{WHITE_SPACE}{CONTROL}]+"
_DOMAIN_LABEL = f"[^@.{WHITE_SPACE}{CONTROL}]+"
_EMAIL = re.compile(rf"{_EMAIL_PART}@{_DOMAIN_LABEL}(\.{_DOMAIN_LABEL})+")


def _for_json_schema(pattern: str) -> str:
    """Write a pattern in ASCII, as ECMA-262 reads it too.

    Characters beyond U+FFFF stay as they are: ECMA-262 and Python write them differently.
    """
    return "".join(c if " " <= c <= "~" or c > "\uffff" else f"\\u{ord(c):04x}" for c in pattern)


def clean_title(text: str) -> str:
    """The title as it is stored; ValueError says what is wrong with it."""
    text = text.strip(_WHITE_SPACE_CHARACTERS)
    if not 1 <= len(text) <= TITLE_MAX:
        raise ValueError(
            f"must have 1 to {TITLE_MAX} characters, white space around it not counted"
        )
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters, such as line breaks")
    if _SURROGATE.search(text):
        raise ValueError("must not contain lone surrogates")
    if not _VISIBLE.search(text):
        raise ValueError("must contain something visible")
    return text


def clean_email(text: str) -> str:
    """The address as it is stored and looked up; ValueError says what is wrong with it."""
    text = text.strip(_WHITE_SPACE_CHARACTERS)
    if _SURROGATE.search(text):
        raise ValueError("must not contain lone surrogates")
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    if len(text) > EMAIL_MAX:
        raise ValueError(f"must have at most {EMAIL_MAX} characters")
    if not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address, such as ann@example.com")
    return text


def clean_password(text: str) -> str:
    """The password exactly as sent; ValueError says what is wrong with it."""
    if not PASSWORD_MIN <= len(text) <= PASSWORD_MAX:
        raise ValueError(f"must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    if _SURROGATE.search(text):
        raise ValueError("must not contain lone surrogates")
    return text


# Applied by bodies.py to a text field of this name, after its type.
CLEANERS: dict[str, Callable[[str], str]] = {
    "title": clean_title,
    "email": clean_email,
    "password": clean_password,
}

# A document can't trim: the patterns let white space stand around what they count.
_AROUND = f"[{WHITE_SPACE}]*"
_EDGE = f"[^{WHITE_SPACE}{CONTROL}]"
Title = Annotated[
    str,
    Meta(
        description="Trimmed of white space, then 1 to 500 characters: no control characters, "
        "not only invisible ones.",
        examples=["Buy oat milk"],
        extra_json_schema={
            "minLength": 1,
            "pattern": _for_json_schema(
                f"^{_AROUND}{_EDGE}([^{CONTROL}]{{0,{TITLE_MAX - 2}}}{_EDGE})?{_AROUND}$"
            ),
            "not": {
                "pattern": _for_json_schema(
                    f"^[{WHITE_SPACE}{CONTROL}{INVISIBLE}{INVISIBLE_ASTRAL}]*$"
                )
            },
        },
    ),
]
Email = Annotated[
    str,
    Meta(
        description="Trimmed of white space, NFC, lower-cased, then at most 254 characters; unique in any "
        "letter case.",
        examples=["ann@example.com"],
        extra_json_schema={
            "pattern": _for_json_schema(
                f"^{_AROUND}{_EMAIL_PART}@{_DOMAIN_LABEL}(\\.{_DOMAIN_LABEL})+{_AROUND}$"
            ),
            "not": {"pattern": _for_json_schema(f"[^{WHITE_SPACE}]{{{EMAIL_MAX + 1}}}")},
        },
    ),
]
Password = Annotated[
    str,
    Meta(
        description="Any characters, used exactly as sent.",
        examples=["correct horse battery"],
        extra_json_schema={
            "minLength": PASSWORD_MIN,
            "maxLength": PASSWORD_MAX,
            "format": "password",
        },
    ),
]
Id = Annotated[
    str,
    Meta(
        examples=["0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301"],
        extra_json_schema={"format": "uuid"},
    ),
]
Moment = Annotated[
    str,
    Meta(
        description="RFC 3339, UTC, with microseconds.",
        examples=["2026-11-23T15:04:05.123456Z"],
        extra_json_schema={"format": "date-time"},
    ),
]


class Credentials(Struct, forbid_unknown_fields=True):
    """Who signs up or logs in."""

    email: Email
    password: Password


class NewTask(Struct, forbid_unknown_fields=True):
    """A task to create."""

    title: Title


class TaskChange(Struct, forbid_unknown_fields=True):
    """What to change of a task; what is absent keeps its value."""

    title: Title | UnsetType = UNSET
    is_completed: bool | UnsetType = UNSET


class Task(
    Struct, gc=False
):  # of texts alone: a list of 1 000 is nothing for the collector to walk
    """A task of the user."""

    id: Id
    user_id: Id
    title: Annotated[str, Meta(examples=["Buy oat milk"])]
    is_completed: bool
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment


class Session(Struct):
    """An account and the token of its new session."""

    user_id: Id
    email: Annotated[str, Meta(examples=["ann@example.com"])]
    access_token: Annotated[
        str,
        Meta(
            description="Send it as `Authorization: Bearer <token>`.",
            examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoi…"],
        ),
    ]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds.", examples=[86400])]


RequestId = Annotated[
    str,
    Meta(
        description="The X-Request-ID of this answer.",
        examples=["4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11"],
    ),
]


class AnswerMeta(Struct):
    """About this answer."""

    timestamp: Moment
    request_id: RequestId


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


class SessionAnswer(Struct):
    """A new session."""

    data: Session
    meta: AnswerMeta


class FieldError(Struct):
    """What is wrong with one field of a body, one parameter of a query, or a header."""

    field: Annotated[
        str,
        Meta(
            description="A field of the body, a parameter of the query or a header; empty for the body as a "
            "whole.",
            examples=["title"],
        ),
    ]
    message: Annotated[str, Meta(examples=["is required"])]


class ProblemAnswer(Struct, omit_defaults=True):
    """Why a request failed (RFC 9457)."""

    type: Annotated[
        str,
        Meta(examples=["/problems#not-found"], extra_json_schema={"format": "uri-reference"}),
    ]
    title: Annotated[str, Meta(examples=["Not found"])]
    status: Annotated[int, Meta(ge=400, le=599, examples=[404])]
    detail: Annotated[str, Meta(examples=["There is no such task."])]
    instance: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]
    code: Annotated[str, Meta(examples=["not-found"])]
    request_id: RequestId
    errors: (
        Annotated[list[FieldError], Meta(description="With 422: one for each problem.")] | UnsetType
    ) = UNSET


class Health(Struct):
    """The state of the service."""

    status: Literal["ok", "unavailable"]


def without_unset(body: Struct) -> dict[str, Any]:
    """A body's fields with None for what is absent, as the statements take them."""
    return {
        name: None if (value := getattr(body, name)) is UNSET else value
        for name in body.__struct_fields__
    }
