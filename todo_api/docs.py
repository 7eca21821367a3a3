"""The pages about the API: Swagger UI, ReDoc, the OpenAPI document and the error codes."""

from functools import cache
from pathlib import Path

import msgspec
from flask import Blueprint, Response, redirect, render_template, send_from_directory

from todo_api.openapi import document
from todo_api.problems import CODES

docs = Blueprint("docs", __name__)

STATIC = Path(__file__).parent / "static"
# No frame-ancestors: Hugging Face Spaces shows the pages in a frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'"
)
# ReDoc styles its page as it renders, and searches in a worker that it makes from a blob.
_REDOC_POLICY = (
    _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"
)
_PAGE_LIFETIME = "no-cache"  # asked for again each time, and mostly answered 304
_ASSET_LIFETIME = "public, max-age=3600"


@docs.get("/")
def home() -> Response:
    """Send people to the documentation."""
    response = redirect("/docs")
    assert isinstance(response, Response)  # noqa: S101 (werkzeug's type is wider)
    return response


@docs.get("/docs")
def swagger_ui() -> Response:
    """Swagger UI."""
    return _page(send_from_directory(STATIC, "docs.html"), _POLICY)


@docs.get("/redoc")
def redoc() -> Response:
    """ReDoc."""
    return _page(send_from_directory(STATIC, "redoc.html"), _REDOC_POLICY)


@docs.get("/problems")
def problems_page() -> Response:
    """What each error code means, and what to do about it."""
    return _page(Response(render_template("problems.html", codes=CODES)), _POLICY)


@docs.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    response = Response(_document(), content_type="application/json")
    response.headers["Cache-Control"] = _PAGE_LIFETIME
    return response


@docs.get("/static/<path:path>")
def asset(path: str) -> Response:
    """A file of the pages above."""
    response = send_from_directory(STATIC, path)
    response.headers["Cache-Control"] = _ASSET_LIFETIME
    return response


def _page(response: Response, policy: str) -> Response:
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = _PAGE_LIFETIME
    return response


@cache
def _document() -> bytes:
    return msgspec.json.encode(document())
