"""The pages about the API: Swagger UI, ReDoc, the OpenAPI document and the error codes."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import msgspec
from flask import Blueprint, Flask, Response, current_app, redirect, render_template
from werkzeug.http import generate_etag

from todo_api.docs.openapi import document
from todo_api.docs.vocabulary import Operation
from todo_api.web.conditions import condition
from todo_api.web.problem_codes import CODES
from todo_api.web.problems import Problem
from todo_api.web.request import current_request

docs = Blueprint("docs", __name__, template_folder="templates")

STATIC = Path(__file__).parent / "static"
# No frame-ancestors: Hugging Face Spaces shows the pages in a frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'"
)
# ReDoc runs its search in a web worker made from a blob. It has two inline styles: an empty element that its
# script fills rule by rule, and the style sheet of its scroll bars.
_REDOC_POLICY = (
    _POLICY.replace(
        "style-src 'self'",
        "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
        "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
    )
    + "; worker-src blob:"
)
# Read once, at import. No other file can be requested.
FILES = {
    file.relative_to(STATIC).as_posix(): file.read_bytes()
    for file in STATIC.rglob("*")
    if file.is_file()
}
# Not from the system's MIME types: with nosniff a browser runs no script that has another type.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_TEXT = "text/plain; charset=utf-8"
_PAGE_LIFETIME = "no-cache"  # browsers ask each time, and mostly get 304
_ASSET_LIFETIME = "public, max-age=3600"
_etag = lru_cache(generate_etag)


def serve_document(app: Flask, operations: Mapping[str, Operation]) -> None:
    """Serve the document of `app`, made at the first request. Register all blueprints before."""
    app.extensions["openapi"] = lru_cache(8)(
        lambda root: msgspec.json.encode(document(app.url_map, operations, root))
    )


@docs.get("/")
def home() -> Response:
    """Redirect browsers to the documentation."""
    # The status is written down: Flask 3.2 changes the default to 303.
    response = redirect(f"{current_request().script_root}/docs", HTTPStatus.FOUND)
    assert isinstance(response, Response)  # noqa: S101 (werkzeug's type is wider)
    return response


@docs.get("/docs")
def swagger_ui() -> Response:
    """Swagger UI."""
    return _page(FILES["docs.html"], _POLICY)


@docs.get("/redoc")
def redoc() -> Response:
    """ReDoc."""
    return _page(FILES["redoc.html"], _REDOC_POLICY)


@docs.get("/problems")
def problems_page() -> Response:
    """What each error code means, and what to do about it."""
    return _page(render_template("problems.html", codes=CODES).encode(), _POLICY)


@docs.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    described = current_app.extensions["openapi"](current_request().script_root)
    return _cacheable(described, "application/json", _PAGE_LIFETIME)


@docs.get("/static/<path:path>")
def asset(path: str) -> Response:
    """A file of the pages above."""
    if path not in FILES:
        raise Problem("not-found")
    return _cacheable(FILES[path], _TYPES.get(PurePosixPath(path).suffix, _TEXT), _ASSET_LIFETIME)


def _page(content: bytes, policy: str) -> Response:
    response = _cacheable(content, _TYPES[".html"], _PAGE_LIFETIME)
    response.headers["Content-Security-Policy"] = policy
    return response


def _cacheable(content: bytes, kind: str, lifetime: str) -> Response:
    """An answer that clients may cache for its lifetime; 304 when the client has it already."""
    request = current_request()
    response = Response(content, content_type=kind, headers={"Cache-Control": lifetime})
    response.set_etag(_etag(content))
    # The only condition that these answers support is If-None-Match.
    response.make_conditional(
        {
            "REQUEST_METHOD": request.method,
            "HTTP_IF_NONE_MATCH": condition(),
        }
    )
    return response
