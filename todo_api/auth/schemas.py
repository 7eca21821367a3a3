"""The bodies and answers under /api/auth: validation, JSON and JSON Schema from the same classes."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from todo_api.web.schemas import AnswerMeta, Id
from todo_api.web.text import (
    CONTROL,
    INVISIBLE_CHARACTER,
    PUBLISHED_CONTROL,
    WHITE_SPACE,
    nfc,
    refuse_surrogates,
    trimmed,
)

EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
_SENT_MAX = 4 * EMAIL_MAX  # one character of NFC is at most four before
PASSWORD_MIN, PASSWORD_MAX = 8, 1024
CODE_MAX = 100  # longer than any code, and short enough to be looked at
_EMAIL_PART = f"[^@{WHITE_SPACE}{CONTROL}]+"
_DOMAIN_LABEL = f"[^@.{WHITE_SPACE}{CONTROL}]+"
_EMAIL = re.compile(rf"{_EMAIL_PART}@{_DOMAIN_LABEL}(\.{_DOMAIN_LABEL})+")
_AROUND, _LABEL = r"[\x09-\x0d\x20]*", rf"[^\s@.{PUBLISHED_CONTROL}]+"
_PATTERN = rf"^{_AROUND}[^\s@{PUBLISHED_CONTROL}]+@{_LABEL}(\.{_LABEL})+{_AROUND}$"  # as published


def clean_email(text: str) -> str:
    """The address as it is looked up; ValueError says what is wrong with it."""
    text = trimmed(text)
    if len(text) <= _SENT_MAX:
        refuse_surrogates(text)
        text = nfc(nfc(text).lower())
    if len(text) > EMAIL_MAX:
        raise ValueError(f"must have at most {EMAIL_MAX} characters")
    if not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address, such as ann@example.com")
    return text


def clean_new_email(text: str) -> str:
    """The address as it is stored; no two differ in a character that does not show."""
    text = clean_email(text)
    if INVISIBLE_CHARACTER.search(text):
        raise ValueError(
            "must not contain invisible characters, such as zero-width spaces or marks of direction"
        )
    return text


def clean_password(text: str) -> str:
    """The password exactly as sent; ValueError says what is wrong with it."""
    if not PASSWORD_MIN <= len(text) <= PASSWORD_MAX:
        raise ValueError(f"must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    refuse_surrogates(text)
    return text


def clean_code(text: str) -> str:
    """The code exactly as sent; ValueError says what is wrong with it."""
    if len(text) > CODE_MAX:
        raise ValueError(f"must have at most {CODE_MAX} characters")
    refuse_surrogates(text)
    return text


def _email(clean: Callable[[str], str], more: str = "") -> Any:
    return Meta(
        description="White space around it is removed; then it is brought into NFC and lower case, and "
        f"has at most {EMAIL_MAX} characters: one `@`, a dot in the domain, no white space and no control "
        f"characters. Letter case makes no difference.{more}",
        examples=["ann@example.com"],
        extra={"clean": clean},
        extra_json_schema={"maxLength": EMAIL_MAX, "pattern": _PATTERN},
    )


# Accounts from before addresses with invisible characters were refused can still log in.
Email = Annotated[str, _email(clean_email)]
NewEmail = Annotated[
    str,
    _email(
        clean_new_email,
        " A new address has no invisible characters, such as zero-width spaces.",
    ),
]


def _password(more: str = "") -> Any:
    return Meta(
        description=f"{PASSWORD_MIN} to {PASSWORD_MAX} characters (code points) of any kind, used exactly "
        f"as sent.{more}",
        examples=["correct horse battery"],
        extra={"clean": clean_password},
        extra_json_schema={
            "minLength": PASSWORD_MIN,
            "maxLength": PASSWORD_MAX,
            "format": "password",
        },
    )


Password = Annotated[str, _password()]
# auth/new_passwords.py judges it.
NewPassword = Annotated[
    str,
    _password(
        " Not one of the most common passwords, not the e-mail address, and not the part before its `@`, "
        "each in any letter case."
    ),
]


Code = Annotated[
    str,
    Meta(
        description="As the operator gave it out: letter case and hyphens count.",
        examples=["7k2m-q9xd-4hte-0r8w-n5vb-c3jy-zg6p"],
        extra={"clean": clean_code},
        extra_json_schema={"maxLength": CODE_MAX},
    ),
]


class SignUp(Struct, forbid_unknown_fields=True):
    """Who signs up."""

    email: NewEmail
    password: NewPassword
    invite: Code | UnsetType = UNSET


class Credentials(Struct, forbid_unknown_fields=True):
    """Who logs in."""

    email: Email
    password: Password


class Reset(Struct, forbid_unknown_fields=True):
    """A code, and the password that is to be from now on."""

    code: Code
    new_password: NewPassword


class Session(Struct):
    """An account and the token of its new session."""

    user_id: Id
    email: Annotated[str, Meta(examples=["ann@example.com"])]
    access_token: Annotated[
        str,
        Meta(
            description="Send it as `Authorization: Bearer <token>`.",
            examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoi…"],
        ),
    ]
    token_type: Annotated[Literal["Bearer"], Meta(extra_json_schema={"type": "string"})]
    expires_in: Annotated[int, Meta(description="Seconds.", examples=[86400])]


class SessionAnswer(Struct):
    """A new session."""

    data: Session
    meta: AnswerMeta
