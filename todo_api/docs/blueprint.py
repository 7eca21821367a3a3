"""The pages about the API: Swagger UI, ReDoc, the OpenAPI document and the error codes."""

from functools import cache, lru_cache
from pathlib import Path, PurePosixPath

import msgspec
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.http import generate_etag

from todo_api.docs.openapi import document
from todo_api.web.problems import CODES, Problem

docs = Blueprint("docs", __name__, template_folder="templates")

STATIC = Path(__file__).parent / "static"
# No frame-ancestors: Hugging Face Spaces shows the pages in a frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'"
)
# ReDoc searches in a worker that it makes from a blob, and has two kinds of inline style: an empty
# element that its script fills rule by rule, and the style sheet of its scroll bars.
_REDOC_POLICY = (
    _POLICY.replace(
        "style-src 'self'",
        "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
        "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
    )
    + "; worker-src blob:"
)
# Read once: what is not in here can't be asked for.
FILES = {
    file.relative_to(STATIC).as_posix(): file.read_bytes()
    for file in STATIC.rglob("*")
    if file.is_file()
}
# Not left to the machine's own table: under nosniff a browser runs no script of another type.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_TEXT = "text/plain; charset=utf-8"
_PAGE_LIFETIME = "no-cache"  # asked for again each time, and mostly answered 304
_ASSET_LIFETIME = "public, max-age=3600"
_etag = lru_cache(generate_etag)


@docs.get("/")
def home() -> Response:
    """Send people to the documentation."""
    response = redirect("/docs")
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
    return _kept(_document(), "application/json", _PAGE_LIFETIME)


@docs.get("/static/<path:path>")
def asset(path: str) -> Response:
    """A file of the pages above."""
    if path not in FILES:
        raise Problem("not-found")
    return _kept(FILES[path], _TYPES.get(PurePosixPath(path).suffix, _TEXT), _ASSET_LIFETIME)


def _page(content: bytes, policy: str) -> Response:
    response = _kept(content, _TYPES[".html"], _PAGE_LIFETIME)
    response.headers["Content-Security-Policy"] = policy
    return response


def _kept(content: bytes, kind: str, lifetime: str) -> Response:
    """An answer that clients may keep for its lifetime; 304 when they have it already."""
    response = Response(content, content_type=kind, headers={"Cache-Control": lifetime})
    response.set_etag(_etag(content))
    # If-None-Match is the one condition that these answers know.
    response.make_conditional(
        {
            "REQUEST_METHOD": request.method,
            "HTTP_IF_NONE_MATCH": request.headers.get("If-None-Match", ""),
        }
    )
    return response


@cache
def _document() -> bytes:
    return msgspec.json.encode(document())
