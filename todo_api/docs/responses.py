"""The successful answers of a call, as the OpenAPI document describes them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from todo_api.docs.routes import Route
from todo_api.docs.vocabulary import Answer, Operation

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
    """A successful answer of a call."""
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": headers_of(status, *answer.headers, limited=operation.limited),
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


def _link(route: Route) -> dict[str, Any]:
    found = {"user_id": "$response.body#/data/user_id", "task_id": "$response.body#/data/id"}
    names = [parameter.name for parameter in route.operation.parameters]
    parameters = {name: found[name] for name in names if name in found}
    return {"operationId": route.id, "parameters": parameters}


def headers_of(status: int, *names: str, limited: bool) -> dict[str, Any]:
    """The headers of an answer: those of every answer, of its status, and its own."""
    attempts = _OF_ATTEMPTS if limited else ()
    wanted = (*names, *_OF_STATUS.get(status, ()), *attempts, *_EVERYWHERE)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in wanted}


def reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    """A reference to a class in the document's components."""
    return {"$ref": COMPONENT.format(name=kind.__name__)}
