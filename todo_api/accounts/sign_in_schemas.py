"""The answers of the calls on a user's sign-ins and events, and the export of all that is stored."""

from typing import Annotated

from msgspec import Meta, Struct

from todo_api.accounts.api_token_schemas import ApiToken
from todo_api.accounts.schemas import Account
from todo_api.tasks.schemas import Task
from todo_api.web.schemas import AnswerMeta, Id, Moment

Address = Annotated[str, Meta(description="An IP address.", examples=["192.0.2.7"])]
UserAgent = Annotated[
    str,
    Meta(
        description="The first 256 characters of `User-Agent`.",
        examples=["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"],
    ),
]


class SignIn(Struct):
    """Where the user is signed in: a login with its renewals."""

    id: Annotated[
        Id, Meta(description="It changes with each renewal; the former one still ends it.")
    ]
    created_at: Annotated[Moment, Meta(description="When the user logged in.")]
    expires_at: Annotated[Moment, Meta(description="Unless it is renewed before.")]
    address: Address | None
    user_agent: UserAgent | None
    is_current: Annotated[bool, Meta(description="Whether it is this request's own.")]


class SignInMeta(AnswerMeta):
    """About this answer and its list."""

    count: Annotated[int, Meta(ge=0, examples=[1], description="How many sign-ins `data` has.")]


class SignInListAnswer(Struct):
    """The user's living sign-ins, newest first."""

    data: list[SignIn]
    meta: SignInMeta


class Event(Struct):
    """What happened at the door of the account."""

    occurred_at: Moment
    event: Annotated[
        str, Meta(description="What was done, or refused.", examples=["login", "login_refused"])
    ]
    reason: Annotated[str, Meta(examples=["wrong password"])] | None
    address: Address
    user_agent: UserAgent | None
    request_id: Annotated[
        str,
        Meta(
            description="The X-Request-ID of the request's answer.",
            examples=["4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11"],
        ),
    ]


class EventMeta(AnswerMeta):
    """About this answer and its page."""

    count: Annotated[int, Meta(ge=0, examples=[1], description="How many events `data` has.")]
    next_cursor: Annotated[
        str | None,
        Meta(
            description="What leads to the next page; null on the last one.",
            examples=["AAZg8uenZYAAAAAAAAAAKwyzgbwn"],
        ),
    ]


class EventListAnswer(Struct):
    """A page of what happened at the door of the account, newest first."""

    data: list[Event]
    meta: EventMeta


class Export(Struct):
    """All that is stored about the user."""

    account: Account
    tasks: list[Task]
    sessions: list[SignIn]
    api_tokens: list[ApiToken]
    events: list[Event]


class ExportAnswer(Struct):
    """All that is stored about the user."""

    data: Export
    meta: AnswerMeta
