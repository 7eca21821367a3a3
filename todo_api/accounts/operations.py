"""The calls on accounts, described for the OpenAPI document."""

from todo_api.accounts.schemas import AccountAnswer
from todo_api.docs.vocabulary import (
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

OPERATIONS = {
    "accounts.get_account": Operation(
        summary="See the account",
        description="Its address, how much it holds, and how much it may hold.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID,),
        answers={
            200: Answer(
                description="The account.",
                body=AccountAnswer,
                media_types=(JSON,),
                example=_ACCOUNT,
            )
        },
        problems=(*TOKEN_PROBLEMS, "unavailable"),
    ),
}
