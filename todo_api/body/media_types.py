"""Which media types a body may have (RFC 9110, 8.3), and that it must not be compressed."""

from collections.abc import Container

from werkzeug.http import parse_options_header

from todo_api.web.problems import Problem
from todo_api.web.request import current_request

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396


def require_json(media_types: Container[str] = (JSON,)) -> None:
    """Refuse a request whose Content-Type is not one of these, in UTF-8. Raises Problem."""
    if not is_json(current_request().environ.get("CONTENT_TYPE", ""), media_types):
        raise Problem("unsupported-media-type")


def is_json(content_type: str, media_types: Container[str] = (JSON,)) -> bool:
    """Whether a Content-Type is one of these, in UTF-8."""
    if content_type in media_types:
        return True
    header = content_type.lower()
    media_type, options = parse_options_header(header)
    # an unreadable charset is left out of `options`, and is not UTF-8
    in_utf8 = "charset" not in header or options.get("charset") == "utf-8"
    return media_type in media_types and in_utf8


def is_compressed(content_encoding: str) -> bool:
    """Whether a Content-Encoding says that the body is compressed."""
    return content_encoding != "" and content_encoding.strip().lower() not in ("", "identity")
