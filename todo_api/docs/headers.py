"""The headers of answers, as the OpenAPI document describes them."""

from typing import Any

from todo_api.web.headers import API_POLICY, EXPOSED, HSTS


def _named(**values: str) -> dict[str, Any]:
    """Examples of a header that says something else in other calls."""
    return {name: {"value": value} for name, value in values.items()}


EXAMPLE_REQUEST_ID = "4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11"

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's own X-Request-ID if it was 1 to 128 of `A-Za-z0-9._-`, otherwise new.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "example": EXAMPLE_REQUEST_ID,
    },
    "X-Content-Type-Options": {
        "description": "Browsers must not guess another type.",
        "required": True,
        "schema": {"type": "string", "const": "nosniff"},
    },
    "Referrer-Policy": {
        "description": "Ids in addresses stay here.",
        "required": True,
        "schema": {"type": "string", "const": "no-referrer"},
    },
    "Content-Security-Policy": {
        "description": "What a browser may load for this answer.",
        "required": True,
        "schema": {"type": "string"},
        "examples": _named(api=API_POLICY, pages="default-src 'none'; script-src 'self'; …"),
    },
    "Cache-Control": {
        "description": "`private, no-cache` where tasks are read: a browser may keep them, and asks each "
        "time whether they still hold. Otherwise `no-store` for everything about accounts and tasks. What "
        "these pages are made of can be kept.",
        "required": True,
        "schema": {"type": "string"},
        "examples": _named(
            tasks="private, no-cache",
            others="no-store",
            pages="no-cache",
            files="public, max-age=3600",
        ),
    },
    "Strict-Transport-Security": {
        "description": "When the request came over https.",
        "schema": {"type": "string"},
        "example": HSTS,
    },
    "Vary": {
        "description": "`Origin`, where pages of other origins may call the API at all.",
        "schema": {"type": "string"},
        "example": "Origin",
    },
    "Access-Control-Allow-Origin": {
        "description": "The `Origin` of the request, if its pages may call the API; not sent otherwise.",
        "schema": {"type": "string"},
        "example": "https://app.example.com",
    },
    "Access-Control-Expose-Headers": {
        "description": "What these pages may read beside the body.",
        "schema": {"type": "string"},
        "example": ", ".join(EXPOSED),
    },
    "Location": {
        "description": "Where it is.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "examples": _named(
            task="/api/0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301/tasks/5a0b7a52-9c84-4f0e-8f3c-6f1f1c0d9f10",
            pages="/docs",
        ),
    },
    "Idempotent-Replayed": {
        "description": "When this is the answer to an earlier request with this `Idempotency-Key`.",
        "schema": {"type": "string", "const": "true"},
    },
    "Allow": {
        "description": "The methods that the path knows.",
        "required": True,
        "schema": {"type": "string"},
        "example": "GET, HEAD, OPTIONS, POST",
    },
    "ETag": {
        "description": "Of what was sent, for If-None-Match.",
        "required": True,
        "schema": {"type": "string"},
        "examples": _named(tasks='W/"104"', pages='"6f0b2d6bd0d6f0a0b1b5"'),
    },
    "Content-Disposition": {
        "description": "That this is a file to save.",
        "required": True,
        "schema": {"type": "string"},
        "example": 'attachment; filename="todo-api-export.json"',
    },
    "Link": {
        "description": 'The next page, with `rel="next"`: when a `limit` was asked for, and this is not '
        "the last page.",
        "schema": {"type": "string"},
        "example": "</api/0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301/tasks"
        '?limit=100&cursor=AAZg8uenZYBaC3pSnIRPDo88bx8cDZ8Q1lDw>; rel="next"',
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "example": 42,
    },
    "X-RateLimit-Limit": {
        "description": "Attempts in a window: of the address or, if less is left there, of the wider IPv6 "
        "network around it.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "X-RateLimit-Remaining": {
        "description": "Attempts that are left in this window; a request that is not called JSON is none.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 4,
    },
    "X-RateLimit-Reset": {
        "description": "Seconds until the oldest attempt leaves the window.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 60,
    },
}
