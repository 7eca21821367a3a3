"""Every answer that is a success: `{"data": …, "meta": …}`, written by msgspec."""

from datetime import UTC, datetime
from http import HTTPStatus

import msgspec

from todo_api.web.current import request
from todo_api.web.response import Response
from todo_api.web.schemas import (
    AnswerMeta,
    ListMeta,
    Session,
    SessionAnswer,
    Task,
    TaskAnswer,
    TaskListAnswer,
)

_encode = msgspec.json.Encoder().encode


def one_task(
    task: Task, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A task."""
    return _json(TaskAnswer(data=task, meta=_meta()), status, headers)


def task_list(
    tasks: list[Task],
    headers: dict[str, str] | None = None,
    *,
    next_cursor: str | msgspec.UnsetType | None = msgspec.UNSET,
) -> Response:
    """Tasks and their number; of a page also what leads to the next one."""
    meta = ListMeta(
        timestamp=_now(),
        request_id=request().id,
        count=len(tasks),
        next_cursor=next_cursor,
    )
    return _json(TaskListAnswer(data=tasks, meta=meta), headers=headers)


def session(session: Session, status: int = HTTPStatus.OK) -> Response:
    """A new session with its token."""
    return _json(SessionAnswer(data=session, meta=_meta()), status)


def not_modified(headers: dict[str, str]) -> Response:
    """That the client has it already."""
    return _without_body(HTTPStatus.NOT_MODIFIED, headers)


def nothing() -> Response:
    """Success without a body."""
    return _without_body(HTTPStatus.NO_CONTENT)


def _meta() -> AnswerMeta:
    return AnswerMeta(timestamp=_now(), request_id=request().id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _without_body(status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def _json(
    body: msgspec.Struct, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return Response(_encode(body), status, headers, content_type="application/json")
