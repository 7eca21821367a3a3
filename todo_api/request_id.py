"""One id for a request, in its answer, its log line and its auth events."""

import re
import uuid

from flask import g, request

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")


def current() -> str:
    """The client's own X-Request-ID when it is fit to be logged, otherwise a new UUID."""
    found: str | None = g.get("request_id")
    if found is None:
        sent = request.headers.get("X-Request-ID", "")
        found = g.request_id = sent if _ACCEPTABLE.fullmatch(sent) else str(uuid.uuid4())
    return found
