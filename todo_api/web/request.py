"""Flask's request, extended with an id, its start time and its user."""

import random
import re
import time
from http import HTTPStatus

import flask
from werkzeug.utils import cached_property

from todo_api.database.calls import Caller

# Set in the environ by the server:
IS_REFUSED = "todo_api.is_refused"  # whether too many requests wait, and this one is to be refused
FORWARDED_HOST = "todo_api.forwarded_host"  # X-Forwarded-Host of a trusted proxy
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Request(flask.Request):
    """Flask's request with the data that its answer, its log line and its auth events share."""

    signed_in: Caller | None = None  # the user of its token
    is_unproven = False  # whether only the token itself says so, until the database has found it
    # Its auth event: of its refusal, or one that is recorded with what it asks for, if that is done.
    refusal: str | None = None
    success: str | None = None
    limited_by: str = "address"  # whose attempts were too many, if that event is rate_limited

    def __init__(self, *arguments: object, **named: object) -> None:
        self.began = time.perf_counter()
        super().__init__(*arguments, **named)  # type: ignore[arg-type]

    def auth_event(self, status: int) -> str | None:
        """The auth event of a request with this answer."""
        return self.refusal or (self.success if status < HTTPStatus.BAD_REQUEST else None)

    @property
    def path_of_client(self) -> str:
        """The path as the client sees it, with ids in lower case."""
        return f"{self.script_root}{self.path.lower()}"

    @cached_property
    def id(self) -> str:
        """The client's X-Request-ID if it is safe to log, otherwise a new UUID."""
        return chosen_id(self.environ.get("HTTP_X_REQUEST_ID", ""))


def current_request() -> Request:
    """The request itself, not Flask's proxy: six look-ups through the proxy cost 2 µs."""
    return flask.request._get_current_object()  # type: ignore[attr-defined,no-any-return]


def chosen_id(sent: str) -> str:
    """`sent` if it is safe to log, otherwise a new UUID."""
    return sent if _ACCEPTABLE.fullmatch(sent) else _new_id()


def _new_id() -> str:
    # An id need not be secret, so this avoids a system call, which would release the GIL.
    digits = f"{random.getrandbits(128):032x}"  # uuid.uuid4 takes three times as long
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
