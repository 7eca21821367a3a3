"""The calls on API tokens, described for the OpenAPI document."""

from todo_api.accounts.api_token_schemas import (
    ApiTokenCreate,
    ApiTokenListAnswer,
    ShownApiTokenAnswer,
)
from todo_api.docs.vocabulary import (
    BODY_PROBLEMS,
    EXAMPLE_META,
    EXAMPLE_MOMENT,
    JSON,
    TOKEN_PROBLEMS,
    USER_ID,
    Answer,
    Operation,
    Parameter,
)

_EXAMPLE_ID = "8f14e45f-ceea-867f-a5a3-6dedd4bea254"
_TOKEN = {
    "id": _EXAMPLE_ID,
    "name": "Nightly report",
    "scope": "read",
    "created_at": EXAMPLE_MOMENT,
    "expires_at": None,
    "last_used_on": None,
}
_TOKEN_ID = Parameter(
    name="token_id",
    location="path",
    description="An API token of this user: its id, not its text.",
    schema={"type": "string", "format": "uuid"},
    in_paths=_EXAMPLE_ID,
)

OPERATIONS = {
    "tokens.list_tokens": Operation(
        summary="List the API tokens",
        description="Those that have not expired, newest first, without their texts.",
        needs_token=True,
        parameters=(USER_ID,),
        answers={
            200: Answer(
                description="The tokens.",
                body=ApiTokenListAnswer,
                media_types=(JSON,),
                example={"data": [_TOKEN], "meta": EXAMPLE_META | {"count": 1}},
            )
        },
        problems=(*TOKEN_PROBLEMS, "unavailable"),
    ),
    "tokens.create_token": Operation(
        summary="Make an API token",
        description="For a script or another program. It is good for the calls on tasks and for seeing the "
        "account, whatever becomes of the sessions and the password. At most 50 at a time.",
        needs_token=True,
        parameters=(USER_ID,),
        body=ApiTokenCreate,
        body_examples={
            "reading": {"name": "Nightly report", "scope": "read", "expires_in_days": 90},
            "for ever": {"name": "Phone", "scope": "write", "expires_in_days": None},
        },
        answers={
            201: Answer(
                description="The token, with its text, which is never shown again.",
                body=ShownApiTokenAnswer,
                media_types=(JSON,),
                example={"data": _TOKEN | {"token": "todo_r0JB…"}, "meta": EXAMPLE_META},
            )
        },
        problems=(*TOKEN_PROBLEMS, *BODY_PROBLEMS, "token-limit-reached", "unavailable"),
    ),
    "tokens.delete_token": Operation(
        summary="End an API token",
        description="It is refused at once. A second call finds no token.",
        needs_token=True,
        parameters=(USER_ID, _TOKEN_ID),
        answers={204: Answer(description="The token has ended.")},
        problems=(*TOKEN_PROBLEMS, "not-found", "unavailable"),
    ),
}
