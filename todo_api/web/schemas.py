"""The classes that bodies and answers of all wings share, read and written by msgspec."""

import re
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

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

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
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
    current: Annotated[
        Any,
        Meta(
            description="With `revision-conflict`: the task as it is.",
            extra_json_schema={"type": "object"},
        ),
    ] = UNSET


def is_id(text: str) -> bool:
    """Whether a text in a path can be an id; PostgreSQL would take other spellings of a UUID too."""
    return _ID.fullmatch(text) is not None


def unset_as_none(body: Struct) -> dict[str, Any]:
    """A body's fields as parameters of a statement, with None for absent ones."""
    return {
        name: None if (value := getattr(body, name)) is UNSET else value
        for name in body.__struct_fields__
    }
