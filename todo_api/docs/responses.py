"""The answers of a call, as the OpenAPI document describes them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from todo_api.docs.headers import HEADERS
from todo_api.docs.routes import Route
from todo_api.docs.vocabulary import Answer, Operation
from todo_api.web.problem_codes import CODES
from todo_api.web.problems import MEDIA_TYPE
from todo_api.web.schemas import ProblemAnswer

COMPONENT = "#/components/schemas/{name}"
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


def success(
    status: int, answer: Answer, operation: Operation, routes: Mapping[str, Route]
) -> dict[str, Any]:
    """A success of a call."""
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": _headers(status, *answer.headers, limited=operation.limited),
    }
    if answer.media_types:
        media: dict[str, Any] = {"schema": reference(answer.body) if answer.body else answer.schema}
        if answer.example is not None:
            media["example"] = answer.example
        described["content"] = dict.fromkeys(answer.media_types, media)
    if answer.links:
        linked = [routes[endpoint] for endpoint in answer.links]
        described["links"] = {route.id: _link(route) for route in linked}
    return described


def failure(status: int, codes: list[str], *, limited: bool = False) -> dict[str, Any]:
    """A failure with one of these codes, which all have the status."""
    examples = {code: {"value": _problem(code)} for code in codes}
    return {
        "description": " · ".join(CODES[code].title for code in codes),
        "headers": _headers(status, limited=limited),
        "content": {MEDIA_TYPE: {"schema": reference(ProblemAnswer), "examples": examples}},
    }


def _link(route: Route) -> dict[str, Any]:
    found = {"user_id": "$response.body#/data/user_id", "task_id": "$response.body#/data/id"}
    names = [parameter.name for parameter in route.operation.parameters]
    parameters = {name: found[name] for name in names if name in found}
    return {"operationId": route.id, "parameters": parameters}


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


def reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    """A class among the document's components."""
    return {"$ref": COMPONENT.format(name=kind.__name__)}
