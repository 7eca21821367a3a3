"""The rules for a new password."""

from todo_api.web.problems import Problem
from todo_api.web.schemas import FieldError


def refuse_weak(password: str, email: str, field: str = "password") -> None:
    """Raise Problem for a password that is the address or the part before its @, in any letter case."""
    if password.casefold() in (email.casefold(), email.partition("@")[0].casefold()):
        error = FieldError(field=field, message="must not be the e-mail address, or its first part")
        raise Problem("validation-error", errors=[error])
