"""What each call takes and answers, for the OpenAPI document: one entry for each route."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from todo_api.web.schemas import (
    Credentials,
    Health,
    NewTask,
    SessionAnswer,
    TaskAnswer,
    TaskChange,
    TaskListAnswer,
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A success: what it means and what is in it."""

    description: str
    body: type[msgspec.Struct] | None = None
    schema: dict[str, Any] | None = None
    media_types: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    example: Any = None
    links: tuple[str, ...] = ()  # operations that take the ids that come back


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method of a path; `problems` are the codes it can fail with, beside those of EVERY_CALL."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str = ""
    needs_token: bool = False
    limited: bool = False
    parameters: tuple[str, ...] = ()
    body: type[msgspec.Struct] | None = None
    body_examples: dict[str, Any] = field(default_factory=dict)
    answers: dict[int, Answer]
    problems: tuple[str, ...] = ()


EVERY_CALL = ("request-timeout", "payload-too-large", "headers-too-large", "internal-error")

_USER = "0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301"
_TASK_ID = "5a0b7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"
_MOMENT = "2026-11-23T15:04:05.123456Z"
_META = {"timestamp": _MOMENT, "request_id": "4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11"}
_TASK = {
    "id": _TASK_ID,
    "user_id": _USER,
    "title": "Buy oat milk",
    "is_completed": False,
    "completed_at": None,
    "created_at": _MOMENT,
    "updated_at": _MOMENT,
}
_DONE = _TASK | {"is_completed": True, "completed_at": _MOMENT}
_SESSION = {
    "data": {
        "user_id": _USER,
        "email": "ann@example.com",
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoi…",
        "token_type": "Bearer",
        "expires_in": 86400,
    },
    "meta": _META,
}
_CREDENTIALS = {"ann": {"email": "ann@example.com", "password": "correct horse battery"}}

_BODY = ("malformed-request", "unsupported-media-type", "validation-error")
_TOKEN = ("unauthorized", "forbidden")
_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_ASSETS = (
    _HTML,
    "text/css; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/plain; charset=utf-8",
    "image/svg+xml",
    _JSON,
)


_HELD = Answer(description="The client has it already.", headers=("ETag",))


def _session(status: int, description: str) -> dict[int, Answer]:
    return {
        status: Answer(
            description=description,
            body=SessionAnswer,
            media_types=(_JSON,),
            example=_SESSION,
            links=("listTasks", "createTask"),
        )
    }


def _task(description: str, task: dict[str, Any], *headers: str) -> dict[int, Answer]:
    return {
        200: Answer(
            description=description,
            body=TaskAnswer,
            media_types=(_JSON,),
            headers=headers,
            example={"data": task, "meta": _META},
        )
    }


def _page(
    description: str, *media_types: str, schema: dict[str, Any] | None = None
) -> dict[int, Answer]:
    return {
        200: Answer(
            description=description,
            schema=schema or {"type": "string"},
            media_types=media_types or (_HTML,),
            headers=("ETag",),
        ),
        304: _HELD,
    }


def _health(status: str, description: str) -> Answer:
    return Answer(
        description=description, body=Health, media_types=(_JSON,), example={"status": status}
    )


_LIST = "/api/{user_id}/tasks"
_ONE = "/api/{user_id}/tasks/{task_id}"

_ALL = (
    Operation(
        id="signup",
        method="post",
        path="/api/auth/signup",
        tag="auth",
        summary="Open an account",
        description="Answers with a first session, so no login is needed.",
        limited=True,
        body=Credentials,
        body_examples=_CREDENTIALS,
        answers=_session(201, "The account and its first session."),
        problems=(*_BODY, "email-taken", "rate-limited", "unavailable"),
    ),
    Operation(
        id="login",
        method="post",
        path="/api/auth/login",
        tag="auth",
        summary="Start a session",
        limited=True,
        body=Credentials,
        body_examples=_CREDENTIALS,
        answers=_session(200, "The new session."),
        problems=(*_BODY, "invalid-credentials", "rate-limited", "unavailable"),
    ),
    Operation(
        id="logout",
        method="post",
        path="/api/auth/logout",
        tag="auth",
        summary="End this session",
        description="The token is dead at once; the user's other sessions live on.",
        needs_token=True,
        answers={204: Answer(description="The session has ended.")},
        problems=("unauthorized", "unavailable"),
    ),
    Operation(
        id="listTasks",
        method="get",
        path=_LIST,
        tag="tasks",
        summary="All tasks, newest first",
        description="The whole list or, with a `limit`, a page of it. A page's `meta` has `next_cursor`, "
        "and the header `Link` where that leads. Going through the pages finds each task that was there all "
        "along once. A `limit` or `cursor` of another form, a `cursor` without `limit`, or two of one kind "
        "are 422.",
        needs_token=True,
        parameters=("user_id", "limit", "cursor", "If-None-Match"),
        answers={
            200: Answer(
                description="Every task of the user, or a page of them.",
                body=TaskListAnswer,
                media_types=(_JSON,),
                headers=("ETag", "Link"),
                example={"data": [_TASK], "meta": _META | {"count": 1}},
            ),
            304: _HELD,
        },
        problems=(*_TOKEN, "validation-error", "unavailable"),
    ),
    Operation(
        id="createTask",
        method="post",
        path=_LIST,
        tag="tasks",
        summary="Add a task",
        description="With an `Idempotency-Key` it can be sent again when no answer came, or a 503: for 24 "
        "hours the same key with the same body is answered as the first time, whatever became of the task "
        "since, and creates nothing. With another body it is 422.",
        needs_token=True,
        parameters=("user_id", "Idempotency-Key"),
        body=NewTask,
        body_examples={"milk": {"title": "Buy oat milk"}},
        answers={
            201: Answer(
                description="The new task.",
                body=TaskAnswer,
                media_types=(_JSON,),
                headers=("Location", "Idempotent-Replayed"),
                example={"data": _TASK, "meta": _META},
                links=("getTask", "updateTask", "completeTask", "deleteTask"),
            )
        },
        problems=(
            *_TOKEN,
            *_BODY,
            "idempotency-key-reused",
            "task-quota-exceeded",
            "unavailable",
        ),
    ),
    Operation(
        id="getTask",
        method="get",
        path=_ONE,
        tag="tasks",
        summary="One task",
        needs_token=True,
        parameters=("user_id", "task_id", "If-None-Match"),
        answers={**_task("The task.", _TASK, "ETag"), 304: _HELD},
        problems=(*_TOKEN, "not-found", "unavailable"),
    ),
    Operation(
        id="updateTask",
        method="put",
        path=_ONE,
        tag="tasks",
        summary="Change a task",
        description="What is absent keeps its value. `is_completed: true` sets `completed_at` once, "
        "`false` clears it.",
        needs_token=True,
        parameters=("user_id", "task_id"),
        body=TaskChange,
        body_examples={
            "rename": {"title": "Buy two cartons of oat milk"},
            "complete": {"is_completed": True},
        },
        answers=_task("The task as it is now.", _DONE),
        problems=(*_TOKEN, *_BODY, "not-found", "unavailable"),
    ),
    Operation(
        id="completeTask",
        method="patch",
        path=f"{_ONE}/complete",
        tag="tasks",
        summary="Complete a task",
        description="Completing it again changes nothing.",
        needs_token=True,
        parameters=("user_id", "task_id"),
        answers=_task("The task as it is now.", _DONE),
        problems=(*_TOKEN, "not-found", "unavailable"),
    ),
    Operation(
        id="deleteTask",
        method="delete",
        path=_ONE,
        tag="tasks",
        summary="Delete a task",
        description="For good. A second call finds nothing.",
        needs_token=True,
        parameters=("user_id", "task_id"),
        answers={204: Answer(description="The task is gone.")},
        problems=(*_TOKEN, "not-found", "unavailable"),
    ),
    Operation(
        id="live",
        method="get",
        path="/health/live",
        tag="health",
        summary="Whether the process runs",
        answers={200: _health("ok", "It runs.")},
    ),
    Operation(
        id="ready",
        method="get",
        path="/health/ready",
        tag="health",
        summary="Whether it can serve",
        description="The database answers, and its schema is up to date.",
        answers={
            200: _health("ok", "It can."),
            503: _health("unavailable", "Not now."),
        },
    ),
    Operation(
        id="home",
        method="get",
        path="/",
        tag="docs",
        summary="To the documentation",
        answers={
            302: Answer(
                description="To /docs.",
                schema={"type": "string"},
                media_types=(_HTML,),
                headers=("Location",),
            )
        },
    ),
    Operation(
        id="swaggerUi",
        method="get",
        path="/docs",
        tag="docs",
        summary="Try the API (Swagger UI)",
        parameters=("If-None-Match",),
        answers=_page("The page."),
    ),
    Operation(
        id="redoc",
        method="get",
        path="/redoc",
        tag="docs",
        summary="Read about the API (ReDoc)",
        parameters=("If-None-Match",),
        answers=_page("The page."),
    ),
    Operation(
        id="openapi",
        method="get",
        path="/openapi.json",
        tag="docs",
        summary="This document",
        parameters=("If-None-Match",),
        answers=_page("OpenAPI 3.1.", _JSON, schema={"type": "object"}),
    ),
    Operation(
        id="problemsPage",
        method="get",
        path="/problems",
        tag="docs",
        summary="The error codes, for people",
        parameters=("If-None-Match",),
        answers=_page("The page."),
    ),
    Operation(
        id="asset",
        method="get",
        path="/static/{path}",
        tag="docs",
        summary="A file of these pages",
        parameters=("path", "If-None-Match"),
        answers=_page("The file.", *_ASSETS),
        problems=("not-found",),
    ),
)

OPERATIONS = {operation.id: operation for operation in _ALL}
