"""The pages about the API, described for the OpenAPI document."""

from typing import Any

from todo_api.docs.vocabulary import (
    HTML,
    IF_NONE_MATCH,
    JSON,
    NOT_MODIFIED,
    Answer,
    Operation,
    Parameter,
)

_PATH = Parameter(
    name="path",
    location="path",
    description="A file of these pages. Its slashes may be sent as they are.",
    schema={"type": "string"},
    in_paths="docs.css",
)
_ASSETS = (
    HTML,
    "text/css; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/plain; charset=utf-8",
    "image/svg+xml",
    JSON,
)


def _page(
    description: str, *media_types: str, schema: dict[str, Any] | None = None
) -> dict[int, Answer]:
    return {
        200: Answer(
            description=description,
            schema=schema or {"type": "string"},
            media_types=media_types or (HTML,),
            headers=("ETag",),
        ),
        304: NOT_MODIFIED,
    }


OPERATIONS = {
    "docs.home": Operation(
        summary="To the documentation",
        description="Redirects people who open the service's address to Swagger UI.",
        answers={
            302: Answer(
                description="To /docs.",
                schema={"type": "string"},
                media_types=(HTML,),
                headers=("Location",),
            )
        },
    ),
    "docs.swagger_ui": Operation(
        summary="Try the API (Swagger UI)",
        description="Every call with a form that sends it.",
        parameters=(IF_NONE_MATCH,),
        answers=_page("The page."),
    ),
    "docs.redoc": Operation(
        summary="Read about the API (ReDoc)",
        description="Every call with its schemas and examples, on one page.",
        parameters=(IF_NONE_MATCH,),
        answers=_page("The page."),
    ),
    "docs.openapi": Operation(
        summary="This document",
        description="For generators of clients, and for whatever else reads OpenAPI 3.1.",
        parameters=(IF_NONE_MATCH,),
        answers=_page("OpenAPI 3.1.", JSON, schema={"type": "object"}),
    ),
    "docs.problems_page": Operation(
        summary="The error codes, for people",
        description="What each code means, and what to do about it. The `type` of a failure leads here.",
        parameters=(IF_NONE_MATCH,),
        answers=_page("The page."),
    ),
    "docs.asset": Operation(
        summary="A file of these pages",
        description="Styles, scripts and pictures, and the licences of those that others made.",
        parameters=(_PATH, IF_NONE_MATCH),
        answers=_page("The file.", *_ASSETS),
        problems=("not-found",),
    ),
}
