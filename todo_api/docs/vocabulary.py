"""The classes that each wing describes its calls with, and the values that calls have in common."""

from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A value in the path, the query or a header; `location` is what OpenAPI calls `in`.

    Swagger UI fills an example into the form, and sends it. So there is none for optional parameters, nor for
    ids, which are never right. `in_paths` stands for the parameter in the paths of other examples.
    `component` is its name in the document, if calls differ in what they take under the same name.
    """

    name: str
    location: str
    description: str
    schema: dict[str, Any]
    in_paths: str = ""
    component: str = ""

    @property
    def key(self) -> str:
        """Its name among the document's components."""
        return self.component or self.name


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A successful answer: its meaning and its content."""

    description: str
    body: type[msgspec.Struct] | None = None
    schema: dict[str, Any] | None = None
    media_types: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    example: Any = None
    links: tuple[str, ...] = ()  # endpoints that take ids of this answer


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A call. Its method, path, id and tag come from the URL map, by the call's endpoint.

    `tag` is for calls that clients know under another tag than their blueprint's. `problems` are the codes
    that the call can fail with, in addition to those of every call.
    """

    summary: str
    description: str
    tag: str = ""
    needs_token: bool = False
    takes_api_tokens: bool = False  # as its view: a test compares them
    limited: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: type[msgspec.Struct] | None = None
    body_types: tuple[str, ...] = ("application/json",)
    body_examples: dict[str, Any] = field(default_factory=dict)
    answers: dict[int, Answer]
    problems: tuple[str, ...] = ()


JSON = "application/json"
HTML = "text/html; charset=utf-8"

EVERY_CALL = ("request-timeout", "payload-too-large", "headers-too-large", "internal-error")
EVERY_CALL_BUT_HEALTH = ("misdirected-request",)
BODY_PROBLEMS = ("malformed-request", "unsupported-media-type", "validation-error")
TOKEN_PROBLEMS = ("unauthorized", "forbidden", "insufficient-scope")

EXAMPLE_USER_ID = "0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301"
EXAMPLE_MOMENT = "2026-11-23T15:04:05.123456Z"
EXAMPLE_META = {
    "timestamp": EXAMPLE_MOMENT,
    "request_id": "4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11",
}

NOT_MODIFIED = Answer(description="The client has it already.", headers=("ETag",))

USER_ID = Parameter(
    name="user_id",
    location="path",
    description="The token's own user.",
    schema={"type": "string", "format": "uuid"},
    in_paths=EXAMPLE_USER_ID,
)
REQUEST_ID = Parameter(
    name="X-Request-ID",
    location="header",
    description="Comes back in the answer and stands in the log, if it is 1 to 128 of `A-Za-z0-9._-`.",
    schema={"type": "string"},
)
IF_NONE_MATCH = Parameter(
    name="If-None-Match",
    location="header",
    description="The `ETag` of what the client has, or several: 304 if that is still right.",
    schema={"type": "string"},
)
