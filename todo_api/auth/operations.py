"""The calls under /api/auth, described for the OpenAPI document."""

from todo_api.auth.schemas import Credentials, Reset, SessionAnswer, SignUp
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
_CODE = "7k2m-q9xd-4hte-0r8w-n5vb-c3jy-zg6p"
_NEW_ACCOUNTS = {**_CREDENTIALS, "invited": {**_CREDENTIALS["ann"], "invite": _CODE}}
_RESETS = {"ann": {"code": _CODE, "new_password": "staple battery horse"}}


def _session(status: int, description: str) -> dict[int, Answer]:
    return {
        status: Answer(
            description=description,
            body=SessionAnswer,
            media_types=(JSON,),
            example=_SESSION,
            links=("lists.list_tasks", "tasks.create_task"),
        )
    }


OPERATIONS = {
    "auth.signup": Operation(
        summary="Open an account",
        description="Answers with a first session, so no login is needed. Where nobody gets in without an "
        "invite, `invite` has to be a good one; elsewhere it is not looked at. What is refused uses up none.",
        limited=True,
        body=SignUp,
        body_examples=_NEW_ACCOUNTS,
        answers=_session(201, "The account and its first session."),
        problems=(*BODY_PROBLEMS, "signup-closed", "email-taken", "rate-limited", "unavailable"),
    ),
    "auth.login": Operation(
        summary="Start a session",
        description="A wrong password and an unknown address get the same answer. The user's other sessions "
        "stay. After many wrong passwords for one address, whether it has an account or not, each login "
        "to it is refused for a while (429), also with the right password. Networks from which the account "
        "was signed in to within 90 days each have a count of their own.",
        limited=True,
        body=Credentials,
        body_examples=_CREDENTIALS,
        answers=_session(200, "The new session."),
        problems=(
            *BODY_PROBLEMS,
            "invalid-credentials",
            "account-disabled",
            "rate-limited",
            "unavailable",
        ),
    ),
    "auth.renew": Operation(
        summary="Go on with a sign-in under a new token",
        description="For a client that is used every day: it needs no password. The token of the request "
        "works for another 60 seconds, so that requests under way and a lost answer do no harm. It stays one "
        "sign-in: logging out with either token ends both. 30 days after its login it ends, and the renewal "
        "is 401; `expires_in` is less than a day only when that end is near.",
        needs_token=True,
        answers=_session(200, "The session with its new token."),
        problems=("unauthorized", "insufficient-scope", "unavailable"),
    ),
    "auth.reset": Operation(
        summary="Set a new password by a code",
        description="The code comes from the operator, and is good once and for a limited time. All sessions "
        "and API tokens of the user end. A code that is unknown, used, void or expired, or of a disabled "
        "account, gets the same answer. What is refused with 422 uses up no code.",
        limited=True,
        body=Reset,
        body_examples=_RESETS,
        answers={204: Answer(description="The password is set; log in with it.")},
        problems=(*BODY_PROBLEMS, "invalid-credentials", "rate-limited", "unavailable"),
    ),
    "auth.logout": Operation(
        summary="End this sign-in",
        description="Its tokens are refused at once, renewed ones too; the user's other sign-ins stay.",
        needs_token=True,
        answers={204: Answer(description="The sign-in has ended.")},
        problems=("unauthorized", "insufficient-scope", "unavailable"),
    ),
}
