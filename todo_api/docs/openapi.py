"""The OpenAPI 3.1 document, put together by apispec from the classes that validate."""

from importlib.metadata import version
from typing import Any

import msgspec
from apispec import APISpec

from todo_api.docs.headers import HEADERS, PARAMETERS
from todo_api.docs.operations import EVERY_CALL, OPERATIONS, Answer, Operation
from todo_api.web import schemas
from todo_api.web.problems import CODES, MEDIA_TYPE
from todo_api.web.schemas import ProblemAnswer

_COMPONENT = "#/components/schemas/{name}"
_ABOUT = """\
Tasks for many users, each of whom sees only their own.

Sign up, take the `access_token` and the `user_id` of the answer, press **Authorize**, and go on to the tasks.
Every failure is a problem document; [the error codes](problems) say what to do about each. A method that
a path does not know is answered 405, with the methods that it knows in `Allow`. A `GET` can be a `HEAD` too.
Unknown query parameters are ignored, and so is the body of a call that takes none.
"""

_EVERYWHERE = (
    "X-Request-ID",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Content-Security-Policy",
    "Cache-Control",
    "Strict-Transport-Security",
    "Vary",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
)
_OF_STATUS = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_OF_ATTEMPTS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    spec = APISpec(
        title="Todo API",
        version=version("todo-api"),
        openapi_version="3.1.0",
        info={"description": _ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "/", "description": "This server"}],
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
    for name, parameter in PARAMETERS.items():
        spec.components.parameter(name, parameter["in"], parameter)
    for name, schema in _schemas().items():
        spec.components.schema(name, schema)
    for code in CODES:  # also method-not-allowed, which is the answer of what is no operation
        spec.components.response(code, _failure(CODES[code].status, [code]))
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
        "tags": [operation.tag],
        "security": [{"token": []}] if operation.needs_token else [],
        "parameters": [*operation.parameters, "X-Request-ID"],
        "responses": {
            str(status): _success(status, answer, operation)
            for status, answer in operation.answers.items()
        },
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body:
        examples = {name: {"value": value} for name, value in operation.body_examples.items()}
        media = {"schema": _reference(operation.body), "examples": examples}
        described["requestBody"] = {"required": True, "content": {"application/json": media}}
    codes = (*operation.problems, *EVERY_CALL)
    for status in sorted({CODES[code].status for code in codes}):
        named = [code for code in codes if CODES[code].status == status]
        described["responses"][str(status)] = (
            {"$ref": f"#/components/responses/{named[0]}"}
            if len(named) == 1 and not operation.limited
            else _failure(status, named, limited=operation.limited)
        )
    return described


def _success(status: int, answer: Answer, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": _headers(status, *answer.headers, limited=operation.limited),
    }
    if answer.media_types:
        media: dict[str, Any] = {
            "schema": _reference(answer.body) if answer.body else answer.schema
        }
        if answer.example is not None:
            media["example"] = answer.example
        described["content"] = dict.fromkeys(answer.media_types, media)
    if answer.links:
        described["links"] = {name: _link(name) for name in answer.links}
    return described


def _failure(status: int, codes: list[str], *, limited: bool = False) -> dict[str, Any]:
    examples = {code: {"value": _problem(code)} for code in codes}
    return {
        "description": " · ".join(CODES[code].title for code in codes),
        "headers": _headers(status, limited=limited),
        "content": {MEDIA_TYPE: {"schema": _reference(ProblemAnswer), "examples": examples}},
    }


def _link(name: str) -> dict[str, Any]:
    found = {"user_id": "$response.body#/data/user_id", "task_id": "$response.body#/data/id"}
    wanted = [parameter for parameter in OPERATIONS[name].parameters if parameter in found]
    parameters = {parameter: found[parameter] for parameter in wanted}
    return {"operationId": name, "parameters": parameters}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _COMPONENT.format(name=kind.__name__)}


def _headers(status: int, *names: str, limited: bool) -> dict[str, Any]:
    attempts = _OF_ATTEMPTS if limited else ()
    wanted = (*names, *_OF_STATUS.get(status, ()), *attempts, *_EVERYWHERE)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in wanted}


def _problem(code: str) -> dict[str, Any]:
    example = {
        "type": f"/problems#{code}",
        "title": CODES[code].title,
        "status": CODES[code].status,
        "detail": CODES[code].detail,
        "instance": HEADERS["Location"]["example"],
        "code": code,
        "request_id": HEADERS["X-Request-ID"]["example"],
    }
    if code == "validation-error":
        example["errors"] = [{"field": "title", "message": "is required"}]
    if code == "idempotency-key-reused":
        example["errors"] = [
            {"field": "Idempotency-Key", "message": "was sent with another body before"}
        ]
    return example
