"""What the pages about the API answer, for the OpenAPI document."""

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
    example="docs.css",
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
        parameters=(IF_NONE_MATCH,),
        answers=_page("The page."),
    ),
    "docs.redoc": Operation(
        summary="Read about the API (ReDoc)",
        parameters=(IF_NONE_MATCH,),
        answers=_page("The page."),
    ),
    "docs.openapi": Operation(
        summary="This document",
        parameters=(IF_NONE_MATCH,),
        answers=_page("OpenAPI 3.1.", JSON, schema={"type": "object"}),
    ),
    "docs.problems_page": Operation(
        summary="The error codes, for people",
        parameters=(IF_NONE_MATCH,),
        answers=_page("The page."),
    ),
    "docs.asset": Operation(
        summary="A file of these pages",
        parameters=(_PATH, IF_NONE_MATCH),
        answers=_page("The file.", *_ASSETS),
        problems=("not-found",),
    ),
}
