"""The documentation pages as they are served: types, policies, lifetimes, and nothing else of the disk."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from todo_api.docs import blueprint as docs
from todo_api.web.problem_codes import CODES

pytestmark = pytest.mark.contract
STATIC = Path(docs.__file__).parent / "static"
FILES = sorted(file.relative_to(STATIC).as_posix() for file in STATIC.rglob("*") if file.is_file())
PAGES = ["/docs", "/redoc", "/problems"]
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
KEPT = [*PAGES, "/openapi.json", "/static/docs.css", "/static/redoc/redoc.standalone.js"]


class Links(HTMLParser):
    """The addresses in a page: of what it loads by itself, and of what a click opens."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.opened: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href"):
                (self.opened if tag == "a" else self.loaded).append(value or "")


def policy(answer):
    """The answer's Content-Security-Policy, directive by directive."""
    directives = answer.headers["Content-Security-Policy"].split(";")
    return {words[0]: words[1:] for words in map(str.split, directives)}


def test_the_root_sends_people_to_the_documentation(client):
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")
    assert client.get("/", follow_redirects=True).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_html_under_a_policy_without_unsafe_sources(client, page):
    answer = client.get(page)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    directives = policy(answer)
    assert directives["default-src"] == directives["base-uri"] == ["'none'"]
    assert directives["script-src"] == ["'self'"]
    assert directives["connect-src"] == ["'self'"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_shown_in_a_frame_of_another_site(client, page):
    answer = client.get(page)
    assert "frame-ancestors" not in policy(answer)
    assert "X-Frame-Options" not in answer.headers
    assert "Cross-Origin-Resource-Policy" not in answer.headers


def test_only_redoc_may_style_itself_and_start_a_worker(client):
    allowed = policy(client.get("/redoc"))
    assert all(re.fullmatch("'self'|'sha256-.{44}'", source) for source in allowed["style-src"])
    assert allowed["worker-src"] == ["blob:"]
    for page in ("/docs", "/problems"):
        assert policy(client.get(page))["style-src"] == ["'self'"]
        assert "worker-src" not in policy(client.get(page))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_only_what_this_server_has_and_links_to_what_is_there(client, page):
    links = Links(client.get(page).text)
    assert links.loaded
    for address in links.loaded:
        assert not urlsplit(address).netloc
        assert client.get(urljoin(page, address)).status_code == 200
    for address in links.opened:
        if not urlsplit(address).netloc:
            assert client.get(urljoin(page, address)).status_code == 200


def test_every_problem_code_has_an_anchor_and_its_advice_on_the_page(client):
    page = client.get("/problems").text
    assert Links(page).ids == list(CODES)
    for code in CODES.values():
        for text in (code.title, code.detail, code.advice):
            assert text.replace("'", "&#39;") in page


def test_the_document_is_json_that_any_client_may_revalidate(client):
    answer = client.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.json["openapi"].startswith("3.1.")


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_served_as_it_is_with_its_type(client, name):
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 200
    assert answer.data == (STATIC / name).read_bytes()
    assert answer.headers["Content-Type"] == TYPES.get(
        Path(name).suffix, "text/plain; charset=utf-8"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert policy(answer)["default-src"] == ["'none'"]
    assert "Accept-Ranges" not in answer.headers
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", KEPT)
def test_what_the_client_has_already_is_304_without_a_body(client, path):
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    compressed = first.headers["ETag"].removesuffix('"') + '-gzip"'  # as Apache spells it
    assert client.get(path, headers={"If-None-Match": compressed}).status_code == 304
    for name in ("ETag", "Cache-Control", "Content-Security-Policy"):
        assert again.headers[name] == first.headers[name]
    other = client.get(path, headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.data) == (200, first.data)


@pytest.mark.parametrize("path", KEPT)
@pytest.mark.parametrize(
    "header",
    [{"Range": "bytes=0-9"}, {"Range": "bytes=999999999-"}, {"If-Match": '"another"'}],
    ids=["range", "range-beyond", "if-match"],
)
def test_other_conditions_are_left_aside(client, path, header):
    assert client.get(path, headers=header).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/problems"])
def test_a_page_loads_and_sends_nothing_elsewhere(client, path):
    policy = client.get(path).headers["Content-Security-Policy"]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
    assert allowed["script-src"] == allowed["connect-src"] == allowed["font-src"] == "'self'"
    assert allowed["img-src"] == "'self' data:"
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", *KEPT, "/health/live"])
def test_head_is_get_without_the_body(client, path):
    got, asked = client.get(path), client.head(path)
    assert (asked.status_code, asked.data) == (got.status_code, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Content-Security-Policy"):
        assert asked.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize(
    "path",
    [
        "../docs.py",
        "swagger-ui/../../docs.py",
        "%2e%2e/docs.py",
        "..%2fdocs.py",
        "%2e%2e%2fdocs.py",
        "..\\docs.py",
        "..%5cdocs.py",
        "%252e%252e%252fdocs.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "swagger-ui",
        "swagger-ui/",
        ".",
        "",
        "docs.css/",
        "docs.css%00",
        "docs.css%00.txt",
        "C:/Windows/win.ini",
        "x" * 5000,
        "\u00e4\U0001f600",
        "%ff%fe",
    ],
)
def test_nothing_outside_the_folder_is_served(client, path):
    answer = client.get(f"/static/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", ["/", *PAGES, "/openapi.json", "/static/docs.css"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_pages_can_only_be_read(client, path, method):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json["code"]) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
