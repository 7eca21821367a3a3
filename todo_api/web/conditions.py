"""Conditional reads (RFC 9110, 13.1.2): whether the client has the answer already."""

import re

from werkzeug.http import parse_etags

from todo_api.web.request import current_request

# Apache and Caddy append the coding to a tag when they compress the answer, and leave it on when the client
# sends the tag back.
_CODING = re.compile(r'-(?:gzip|br|zstd|deflate)"')


def has_condition() -> bool:
    """Whether the request has an If-None-Match."""
    return "HTTP_IF_NONE_MATCH" in current_request().environ


def condition() -> str:
    """The request's If-None-Match, without what proxies append to tags; "" without the header."""
    sent: str = current_request().environ.get("HTTP_IF_NONE_MATCH", "")
    return _CODING.sub('"', sent)


def is_held(tag: str) -> bool:
    """Whether If-None-Match has the tag, compared weakly."""
    return has_condition() and parse_etags(condition()).contains_weak(tag)
