"""Which new passwords are refused: those that somebody who knows the address would try first."""

from todo_api.web.problems import Problem
from todo_api.web.schemas import FieldError


def refuse_weak(password: str, email: str, field: str = "password") -> None:
    """Raise a Problem (422) on `field` for the address, or the part before its @, in any letter case."""
    if password.lower() in (email, email.partition("@")[0]):
        error = FieldError(field=field, message="must not be the e-mail address, or a part of it")
        raise Problem("validation-error", errors=[error])
