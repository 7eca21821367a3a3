"""Successful answers: `{"data": …, "meta": …}`, written by msgspec, or no body."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from todo_api.web.request import current_request
from todo_api.web.response import Response
from todo_api.web.schemas import AnswerMeta
from todo_api.web.unsent import CONTENT, LARGE, Content

_encode = msgspec.json.Encoder().encode


def json_answer(
    body: msgspec.Struct, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """An answer with a body."""
    return Response(_encode(body), status, headers, content_type="application/json")


def content_answer(
    content: Content, meta: msgspec.Struct, headers: dict[str, str], around: str = "[]"
) -> Response:
    """An answer whose `data` is the array of a content's items, or the object of its members.

    All clients are sent the same copy of it.
    """
    first, last = (f'{{"data":{around[0]}'.encode(), f'{around[1]},"meta":'.encode())
    parts: list[Any] = [first, *content.parts(), last, _encode(meta), b"}"]
    if content.size < LARGE:
        parts = [b"".join(parts)]
    else:
        current_request().environ[CONTENT] = content
    headers["Content-Length"] = str(sum(map(len, parts)))
    return Response(parts, HTTPStatus.OK, headers, content_type="application/json")


def not_modified(headers: dict[str, str]) -> Response:
    """304: the client has the content already."""
    return _without_body(HTTPStatus.NOT_MODIFIED, headers)


def no_content() -> Response:
    """204: success without a body."""
    return _without_body(HTTPStatus.NO_CONTENT)


def meta() -> AnswerMeta:
    """The `meta` of the current request's answer."""
    return AnswerMeta(timestamp=timestamp(), request_id=current_request().id)


def timestamp() -> str:
    """This moment, in RFC 3339, UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _without_body(status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
