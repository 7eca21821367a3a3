"""The calls under /api/auth, described for the OpenAPI document."""

from todo_api.auth.schemas import Credentials, NewAccount, SessionAnswer
from todo_api.docs.vocabulary import (
    BODY_PROBLEMS,
    EXAMPLE_META,
    EXAMPLE_USER_ID,
    JSON,
    Answer,
    Operation,
)

_SESSION = {
    "data": {
        "user_id": EXAMPLE_USER_ID,
        "email": "ann@example.com",
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoi…",
        "token_type": "Bearer",
        "expires_in": 86400,
    },
    "meta": EXAMPLE_META,
}
_CREDENTIALS = {"ann": {"email": "ann@example.com", "password": "correct horse battery"}}


def _session(status: int, description: str) -> dict[int, Answer]:
    return {
        status: Answer(
            description=description,
            body=SessionAnswer,
            media_types=(JSON,),
            example=_SESSION,
            links=("tasks.list_tasks", "tasks.create_task"),
        )
    }


OPERATIONS = {
    "auth.signup": Operation(
        summary="Open an account",
        description="Answers with a first session, so no login is needed.",
        limited=True,
        body=NewAccount,
        body_examples=_CREDENTIALS,
        answers=_session(201, "The account and its first session."),
        problems=(*BODY_PROBLEMS, "email-taken", "rate-limited", "unavailable"),
    ),
    "auth.login": Operation(
        summary="Start a session",
        description="A wrong password and an unknown address get the same answer. The user's other sessions "
        "live on.",
        limited=True,
        body=Credentials,
        body_examples=_CREDENTIALS,
        answers=_session(200, "The new session."),
        problems=(*BODY_PROBLEMS, "invalid-credentials", "rate-limited", "unavailable"),
    ),
    "auth.logout": Operation(
        summary="End this session",
        description="The token is dead at once; the user's other sessions live on.",
        needs_token=True,
        answers={204: Answer(description="The session has ended.")},
        problems=("unauthorized", "insufficient-scope", "unavailable"),
    ),
}
