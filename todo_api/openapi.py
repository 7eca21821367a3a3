"""The OpenAPI 3.1 document, put together by apispec from the classes that validate."""

from importlib.metadata import version
from typing import Any

import msgspec
from apispec import APISpec

from todo_api import schemas
from todo_api.operations import OPERATIONS, Operation
from todo_api.problems import CODES
from todo_api.schemas import ProblemAnswer

_COMPONENT = "#/components/schemas/{name}"
_ABOUT = """\
Tasks for many users, each of whom sees only their own.

Sign up, take the `access_token` and the `user_id` of the answer, press **Authorize**, and go on to the tasks.
Every failure is a problem document; [the error codes](problems) say what to do about each.
"""

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's own X-Request-ID if it was 1 to 128 of `A-Za-z0-9._-`, otherwise new.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "example": "4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11",
    },
    "X-Content-Type-Options": {
        "description": "Browsers must not guess another type.",
        "required": True,
        "schema": {"const": "nosniff"},
    },
    "Referrer-Policy": {
        "description": "Ids in addresses stay here.",
        "required": True,
        "schema": {"const": "no-referrer"},
    },
    "Content-Security-Policy": {
        "description": "What a browser may load for this answer.",
        "required": True,
        "schema": {"type": "string"},
        "example": "default-src 'none'; frame-ancestors 'none'",
    },
    "Cache-Control": {
        "description": "`no-store` for everything about accounts and tasks.",
        "required": True,
        "schema": {"type": "string"},
        "example": "no-store",
    },
    "Strict-Transport-Security": {
        "description": "When the request came over https.",
        "schema": {"type": "string"},
        "example": "max-age=31536000",
    },
    "Location": {
        "description": "Where it is.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/7d1c…/tasks/0b9f…",
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"const": "Bearer"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "example": 42,
    },
    "X-RateLimit-Limit": {
        "description": "Attempts that one address has in a window.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "X-RateLimit-Remaining": {
        "description": "Attempts that are left in this window.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 4,
    },
    "X-RateLimit-Reset": {
        "description": "Seconds until the oldest attempt leaves the window.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 60,
    },
}
_EVERYWHERE = (
    "X-Request-ID",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Content-Security-Policy",
    "Cache-Control",
    "Strict-Transport-Security",
)
_OF_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_OF_ATTEMPTS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    spec = APISpec(
        title="Todo API",
        version=version("todo-api"),
        openapi_version="3.1.0",
        info={"description": _ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": ".", "description": "This server"}],
        tags=[
            {"name": "auth", "description": "Accounts and sessions"},
            {"name": "tasks", "description": "The tasks of one user, for this user only"},
            {"name": "health", "description": "For load balancers and monitoring"},
            {"name": "docs", "description": "These pages"},
        ],
    )
    spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of signup or login.",
        },
    )
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    for name, schema in _schemas().items():
        spec.components.schema(name, schema)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS.values():
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    for path, operations in paths.items():
        spec.path(path, operations=operations)
    return spec.to_dict()


def _schemas() -> dict[str, Any]:
    classes = [
        item
        for item in vars(schemas).values()
        if isinstance(item, type)
        and issubclass(item, msgspec.Struct)
        and item is not msgspec.Struct
    ]
    _, components = msgspec.json.schema_components(classes, ref_template=_COMPONENT)
    return components


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "security": [{"token": []}] if operation.needs_token else [],
        "parameters": [_parameter(name) for name in operation.parameters],
        "responses": {},
    }
    if operation.body:
        described["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _reference(operation.body),
                    "examples": {
                        name: {"value": value} for name, value in operation.body_examples.items()
                    },
                }
            },
        }
    for status, answer in operation.answers.items():
        headers = (*answer.headers, *(_OF_ATTEMPTS if operation.limited else ()))
        described["responses"][str(status)] = {
            "description": answer.description,
            "headers": _headers(status, headers),
        }
        if answer.media_type:
            content: dict[str, Any] = {
                "schema": _reference(answer.body) if answer.body else answer.schema
            }
            if answer.example is not None:
                content["example"] = answer.example
            described["responses"][str(status)]["content"] = {answer.media_type: content}
    for status in sorted({CODES[code].status for code in operation.problems}):
        codes = [code for code in operation.problems if CODES[code].status == status]
        described["responses"][str(status)] = {
            "description": " · ".join(CODES[code].title for code in codes),
            "headers": _headers(status, _OF_ATTEMPTS if operation.limited else ()),
            "content": {
                "application/problem+json": {
                    "schema": _reference(ProblemAnswer),
                    "examples": {code: {"value": _problem(code, operation)} for code in codes},
                }
            },
        }
    return described


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _COMPONENT.format(name=kind.__name__)}


def _headers(status: int, names: tuple[str, ...]) -> dict[str, Any]:
    wanted = dict.fromkeys((*_EVERYWHERE, *_OF_STATUS.get(status, ()), *names))
    return {name: {"$ref": f"#/components/headers/{name}"} for name in wanted}


def _parameter(name: str) -> dict[str, Any]:
    about = {
        "user_id": "The token's own user.",
        "task_id": "A task of this user.",
        "path": "A file of these pages.",
    }
    schema = {"type": "string"} if name == "path" else {"type": "string", "format": "uuid"}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about[name],
        "schema": schema,
    }


def _problem(code: str, operation: Operation) -> dict[str, Any]:
    example = {
        "type": f"/problems#{code}",
        "title": CODES[code].title,
        "status": CODES[code].status,
        "detail": CODES[code].detail,
        "instance": operation.path.replace("{", "").replace("}", ""),
        "code": code,
        "request_id": HEADERS["X-Request-ID"]["example"],
    }
    if code == "validation-error":
        example["errors"] = [{"field": "title", "message": "is required"}]
    return example
