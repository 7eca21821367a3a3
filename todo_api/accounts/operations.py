"""The calls on accounts, described for the OpenAPI document."""

from todo_api.accounts.schemas import AccountAnswer, Deletion, EmailChange, PasswordChange
from todo_api.docs.vocabulary import (
    BODY_PROBLEMS,
    EXAMPLE_META,
    EXAMPLE_MOMENT,
    EXAMPLE_USER_ID,
    JSON,
    TOKEN_PROBLEMS,
    USER_ID,
    Answer,
    Operation,
)

_ACCOUNT = {
    "data": {
        "user_id": EXAMPLE_USER_ID,
        "email": "ann@example.com",
        "created_at": EXAMPLE_MOMENT,
        "tasks": 12,
        "max_tasks": 10_000,
        "text_bytes": 431,
        "max_text_bytes": 10_485_760,
    },
    "meta": EXAMPLE_META,
}

_PASSWORD = {"current_password": "correct horse battery"}
# Each of these calls asks for the current password.
_ASKING = (*TOKEN_PROBLEMS, *BODY_PROBLEMS, "wrong-password", "rate-limited", "unavailable")


def _account(description: str) -> dict[int, Answer]:
    return {
        200: Answer(
            description=description, body=AccountAnswer, media_types=(JSON,), example=_ACCOUNT
        )
    }


OPERATIONS = {
    "accounts.get_account": Operation(
        summary="See the account",
        description="Its address, how much it holds, and how much it may hold.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID,),
        answers=_account("The account."),
        problems=(*TOKEN_PROBLEMS, "unavailable"),
    ),
    "accounts.change_password": Operation(
        summary="Change the password",
        description="Every other session of the user ends; this one stays.",
        needs_token=True,
        limited=True,
        parameters=(USER_ID,),
        body=PasswordChange,
        body_examples={"another": _PASSWORD | {"new_password": "a longer staple of horses"}},
        answers={204: Answer(description="The new password is good from now on.")},
        problems=_ASKING,
    ),
    "accounts.change_email": Operation(
        summary="Change the address",
        description="From now on the user logs in with the new one. No session ends.",
        needs_token=True,
        limited=True,
        parameters=(USER_ID,),
        body=EmailChange,
        body_examples={"another": _PASSWORD | {"email": "ann@example.net"}},
        answers=_account("The account with its new address."),
        problems=(*_ASKING, "email-taken"),
    ),
    "accounts.delete_account": Operation(
        summary="Delete the account",
        description="The account and all that is its own are gone for good, and its tokens are refused at "
        "once. Nobody can bring them back.",
        needs_token=True,
        limited=True,
        parameters=(USER_ID,),
        body=Deletion,
        body_examples={"goodbye": _PASSWORD},
        answers={204: Answer(description="The account is gone.")},
        problems=_ASKING,
    ),
}
