"""The bodies and answers of the calls on accounts: validation, JSON and JSON Schema from the same classes."""

from typing import Annotated

from msgspec import Meta, Struct

from todo_api.auth.schemas import NewEmail, NewPassword, Password
from todo_api.web.schemas import AnswerMeta, Id, Moment


class Account(Struct):
    """An account, and how much it holds."""

    user_id: Id
    email: Annotated[str, Meta(examples=["ann@example.com"])]
    created_at: Moment
    tasks: Annotated[int, Meta(ge=0, description="How many tasks it has.", examples=[12])]
    max_tasks: Annotated[int, Meta(ge=1, description="How many it may have.", examples=[10_000])]
    text_bytes: Annotated[
        int, Meta(ge=0, description="The text of its tasks in UTF-8.", examples=[431])
    ]
    max_text_bytes: Annotated[
        int, Meta(ge=1, description="How much text it may have.", examples=[10_485_760])
    ]


class AccountAnswer(Struct):
    """An account."""

    data: Account
    meta: AnswerMeta


class PasswordChange(Struct, forbid_unknown_fields=True):
    """A new password, and the one until now."""

    current_password: Password
    new_password: NewPassword


class EmailChange(Struct, forbid_unknown_fields=True):
    """A new address, and the account's password."""

    current_password: Password
    email: NewEmail


class Deletion(Struct, forbid_unknown_fields=True):
    """The password of the account that is to be deleted."""

    current_password: Password
