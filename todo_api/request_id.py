"""One id for a request, in its answer, its log line and its auth events."""

import random
import re
import uuid

from flask import g, request

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")


def current() -> str:
    """The id of the request that is being answered."""
    found: str | None = g.get("request_id")
    if found is None:
        found = g.request_id = chosen(request.headers.get("X-Request-ID", ""))
    return found


def chosen(sent: str) -> str:
    """What a client sent when it is fit to be logged, otherwise a new UUID."""
    return sent if _ACCEPTABLE.fullmatch(sent) else _new()


def _new() -> str:
    # It need not be a secret: no system call, which would let another thread have the interpreter.
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
