"""The calls on sign-ins, events and the export, described for the OpenAPI document."""

from todo_api.accounts.event_pages import QUERY
from todo_api.accounts.sign_in_schemas import EventListAnswer, ExportAnswer, SignInListAnswer
from todo_api.docs.query_parameters import of_query
from todo_api.docs.vocabulary import (
    EXAMPLE_META,
    EXAMPLE_MOMENT,
    EXAMPLE_USER_ID,
    JSON,
    TOKEN_PROBLEMS,
    USER_ID,
    Answer,
    Operation,
    Parameter,
)

_EXAMPLE_SESSION_ID = "7d0c1f0e-62a5-4a53-9d3c-0c0f6f5e8a21"
_SESSION_ID = Parameter(
    name="session_id",
    location="path",
    description="A sign-in of this user.",
    schema={"type": "string", "format": "uuid"},
    in_paths=_EXAMPLE_SESSION_ID,
)
_FROM = {"address": "192.0.2.7", "user_agent": "curl/8.14.1"}
_SIGN_IN = {
    "id": _EXAMPLE_SESSION_ID,
    "created_at": EXAMPLE_MOMENT,
    "expires_at": "2026-11-24T15:04:05.123456Z",
    **_FROM,
    "is_current": True,
}
_EVENT = {
    "occurred_at": EXAMPLE_MOMENT,
    "event": "login_refused",
    "reason": "wrong password",
    **_FROM,
    "request_id": "4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11",
}
_ACCOUNT = {
    "user_id": EXAMPLE_USER_ID,
    "email": "ann@example.com",
    "created_at": EXAMPLE_MOMENT,
    "tasks": 0,
    "max_tasks": 10_000,
    "text_bytes": 0,
    "max_text_bytes": 10_485_760,
}

OPERATIONS = {
    "sessions.list_sessions": Operation(
        summary="Where the user is signed in",
        description="The living sign-ins, newest first, at most 50. A login with all its renewals is one; it "
        "has the address and the program that its newest token was sent to.",
        needs_token=True,
        parameters=(USER_ID,),
        answers={
            200: Answer(
                description="Every living sign-in.",
                body=SignInListAnswer,
                media_types=(JSON,),
                example={"data": [_SIGN_IN], "meta": EXAMPLE_META | {"count": 1}},
            )
        },
        problems=(*TOKEN_PROBLEMS, "unavailable"),
    ),
    "sessions.end_session": Operation(
        summary="End a sign-in",
        description="Its tokens are refused at once, renewed ones too. A second call finds nothing.",
        needs_token=True,
        parameters=(USER_ID, _SESSION_ID),
        answers={204: Answer(description="The sign-in has ended.")},
        problems=(*TOKEN_PROBLEMS, "not-found", "unavailable"),
    ),
    "sessions.end_other_sessions": Operation(
        summary="End all sign-ins but this one",
        description="For a user who has lost a device, or suspects somebody else.",
        needs_token=True,
        parameters=(USER_ID,),
        answers={204: Answer(description="All others have ended.")},
        problems=(*TOKEN_PROBLEMS, "unavailable"),
    ),
    "events.list_events": Operation(
        summary="What happened at the door of the account",
        description="Newest first, in pages: sign-up, logins, renewals, ends of sessions, changes, and what "
        "was refused with the account's address or its tokens. Going through the pages finds each event that "
        "was there all along once. Old events are removed; the operator says when.",
        needs_token=True,
        parameters=(USER_ID, *of_query(QUERY, "event_{name}")),
        answers={
            200: Answer(
                description="A page of events.",
                body=EventListAnswer,
                media_types=(JSON,),
                headers=("Link",),
                example={
                    "data": [_EVENT],
                    "meta": EXAMPLE_META | {"count": 1, "next_cursor": None},
                },
            )
        },
        problems=(*TOKEN_PROBLEMS, "validation-error", "unavailable"),
    ),
    "export.export_account": Operation(
        summary="Export all that is stored about the user",
        description="To keep, or to take elsewhere. No password, token or hash is in it. Of the events it "
        "has the latest 50 000. As with long lists, a user may leave few of them unread at the same time: "
        "more are 503.",
        needs_token=True,
        parameters=(USER_ID,),
        answers={
            200: Answer(
                description="Everything, as a file to save.",
                body=ExportAnswer,
                media_types=(JSON,),
                headers=("Content-Disposition",),
                example={
                    "data": {
                        "account": _ACCOUNT,
                        "tasks": [],
                        "sessions": [_SIGN_IN],
                        "api_tokens": [],
                        "events": [_EVENT],
                    },
                    "meta": EXAMPLE_META,
                },
            )
        },
        problems=(*TOKEN_PROBLEMS, "unavailable"),
    ),
}
