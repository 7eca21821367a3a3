"""A request as this service sees it: with an id, and the moment at which it came."""

import random
import re
import time

import flask
from werkzeug.utils import cached_property

from todo_api.database.calls import SignedIn

HASHING_WAITS = "todo_api.hashing_waits"  # in the environ, by the server
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Request(flask.Request):
    """Flask's request and what its answer, its log line and its auth events have in common."""

    signed_in: SignedIn | None = None  # whose verified token came with it
    auth_event: str | None = None  # what it left in auth_events

    def __init__(self, *arguments: object, **named: object) -> None:
        self.began = time.perf_counter()
        super().__init__(*arguments, **named)  # type: ignore[arg-type]

    @property
    def hashing_waits(self) -> int:
        """How many requests that hash a password wait for a thread, behind this one."""
        waits: int = self.environ.get(HASHING_WAITS, 0)
        return waits

    @cached_property
    def id(self) -> str:
        """What the client sent, when it is fit to be logged, otherwise a new UUID."""
        return chosen_id(self.environ.get("HTTP_X_REQUEST_ID", ""))


def current_request() -> Request:
    """The request itself, not Flask's proxy: six look-ups through the proxy cost 2 µs."""
    return flask.request._get_current_object()  # type: ignore[attr-defined,no-any-return]


def chosen_id(sent: str) -> str:
    """What a client sent, when it is fit to be logged, otherwise a new UUID."""
    return sent if _ACCEPTABLE.fullmatch(sent) else _new_id()


def _new_id() -> str:
    # An id need not be a secret: no system call, which would release the GIL to another thread.
    digits = f"{random.getrandbits(128):032x}"  # uuid.uuid4 takes three times as long
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
