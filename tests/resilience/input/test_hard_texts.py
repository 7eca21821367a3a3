"""No text takes long, wherever it stands: the time grows with the length and not with its square."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from todo_api.app import create_app
from todo_api.settings.config import Config

pytestmark = pytest.mark.contract

BODY = 60_000  # of the 64 KiB that a body may have
HEAD = 14_000  # of the 16 KiB that waitress lets through
# Much more than what differs between texts that cost the same for each character, and much less than what
# grows with the square of their number: 60 000 times as much.
MUCH_MORE = 30
ALLOWANCE_S = 0.03  # a machine with other work to do


def repeated(*parts: str) -> Callable[[int], str]:
    """Texts of a length in bytes, each of these parts repeated for its share of it."""

    def text(size: int) -> str:
        share = size // len(parts)
        return "".join(part * (share // len(part.encode())) for part in parts)

    return text


TEXTS = {
    "marks that decompose, and marks that go before them": repeated("\u0344", "\u0316"),
    "marks of two kinds in turn": repeated("\u0316\u0301"),
    "tibetan vowels": repeated("\u0f73", "\u0f71", "\u0f81"),
    "letters with three marks": repeated("\u1fb7"),
    "hangul": repeated("\u1112\u1161\u11ab"),
    "capital sigmas": repeated("Σ", "\u0301Σ"),
    "dotted capitals": repeated("İ"),
    "white space": repeated(" "),
    "white space around a letter": repeated("\u2003", "a", "\u2003"),
    "white space between letters": repeated("a", "\u3000", "a"),
    "at signs": repeated("@"),
    "labels": repeated("a@", "a."),
    "dots": repeated("a", "."),
    "zero-width": repeated("\u200b"),
    "digits": repeated("9"),
    "decimals": repeated("0.", "1"),
    "minus signs": repeated("-"),
    "quotes": repeated('"'),
    "quotes and commas": repeated('",'),
    "tags": repeated('W/"a" , '),
    "spaces between tags": repeated('"a"', " ", ","),
    "backslashes": repeated("\\"),
    "commas": repeated(","),
    "semicolons": repeated(";"),
    "parameters": repeated(";a=b"),
    "continued parameters": repeated(";a*1=b"),
    "a parameter's number": repeated(";a*", "1", "=b"),
    "a quoted parameter": repeated(';a="', "\\\\"),
    "equal signs": repeated("="),
    "slashes": repeated("/"),
    "dots and slashes": repeated("../"),
    "percent signs": repeated("%"),
    "ampersands": repeated("&limit"),
    "colons": repeated(":"),
    "addresses": repeated("1.1.1.1,"),
    "six kinds of brackets": repeated("([{<>}])"),
    "base64": repeated("e30."),
}  # fmt: skip
HEADERS = (
    "Accept", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Authorization",
    "Content-Encoding", "Content-Type", "Cookie", "Idempotency-Key", "If-Match", "If-Modified-Since",
    "If-None-Match", "Origin", "Range", "Transfer-Encoding", "User-Agent", "X-Forwarded-For",
    "X-Forwarded-Proto", "X-Request-ID",
)  # fmt: skip
STARTS = {
    "Authorization": "Bearer ",
    "Content-Type": "application/json; charset=utf-8",
    "If-None-Match": 'W/"a", ',
}


@pytest.fixture
def app(config: Config) -> Iterator[Flask]:
    """Without the search for leaks, whose patterns take longer than the service does."""
    made = create_app(config)
    yield made
    made.extensions["database"].close()
    made.extensions["hasher"].close()


class Stopwatch:
    """The CPU time of requests on their thread: what waits for the database or hashes is not in it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.slow: list[str] = []

    def compare(self, what: str, hard: dict[str, Any], usual: dict[str, Any]) -> None:
        """Note a hard request that takes much longer than a usual one, three times in a row."""
        for _ in range(3):
            took = self._time(hard)
            if took <= ALLOWANCE_S:  # most are
                return
            allowed = self._time(usual) * MUCH_MORE + ALLOWANCE_S
            if took <= allowed:
                return
        self.slow.append(f"{what}: {took:.3f} s, with a usual text {allowed:.3f} s would be much")

    def _time(self, request: dict[str, Any]) -> float:
        builder = EnvironBuilder(**request)
        environ = builder.get_environ()
        environ["wsgi.input"] = BytesIO(request.get("data", b""))
        began = time.thread_time()
        list(self._app(environ, lambda *_: None))
        return time.thread_time() - began


@pytest.fixture
def stopwatch(app: Flask) -> Iterator[Stopwatch]:
    watch = Stopwatch(app)
    yield watch
    assert watch.slow == []


def calls(app: Flask) -> list[tuple[str, str]]:
    """A method and the path of each route."""
    found = [
        (min((rule.methods or set()) - {"HEAD", "OPTIONS"}), rule.rule)
        for rule in app.url_map.iter_rules()
    ]
    assert ("POST", "/api/auth/signup") in found
    return found


# One route of each kind: with a body and a limit, with a token, with both, with conditions, with neither
READING_HEADERS = {
    "/api/auth/login", "/api/auth/logout", "/api/<user_id>/tasks", "/api/<user_id>/tasks/<task_id>", "/docs",
    "/health/ready",
}  # fmt: skip


def path_of(rule: str) -> str:
    filled = rule.replace("<path:path>", "docs.css")
    for name in ("<user_id>", "<task_id>"):
        filled = filled.replace(name, str(uuid.uuid4()))
    return filled


@pytest.fixture
def signed_in(app: Flask) -> dict[str, str]:
    """A user's id, and the header that the user sends."""
    credentials = {"email": "ann@example.com", "password": "correct horse battery"}
    session = app.test_client().post("/api/auth/signup", json=credentials).json
    assert session
    return {
        "user_id": session["data"]["user_id"],
        "Authorization": f"Bearer {session['data']['access_token']}",
    }


FIELDS = {
    "/api/auth/signup": ("email", "password"),
    "/api/auth/login": ("email", "password"),
    "/api/<user_id>/tasks": ("title", "is_completed", "unknown"),
    "/api/<user_id>/tasks/<task_id>": ("title", "is_completed", "unknown"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_in_every_field_of_every_body(
    app: Flask, stopwatch: Stopwatch, signed_in: dict[str, str], name: str
) -> None:
    usual, hard = "x" * BODY, TEXTS[name](BODY)
    for method, rule in calls(app):
        if method not in ("POST", "PUT", "PATCH") or rule not in FIELDS:
            continue
        path = path_of(rule.replace("<user_id>", signed_in["user_id"]))
        common = {
            "method": method,
            "path": path,
            "headers": {"Authorization": signed_in["Authorization"]},
            "content_type": "application/json",
        }
        for field in FIELDS[rule]:
            for shape in ("{0}", "a{0}@example.com", " {0}"):
                stopwatch.compare(
                    f"{method} {rule} {field} {shape}",
                    common | {"data": body({field: shape.format(hard)})},
                    common | {"data": body({field: usual})},
                )
        stopwatch.compare(
            f"{method} {rule}: a name",
            common | {"data": body({hard: 1})},
            common | {"data": body({usual: 1})},
        )


def body(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


BODIES = {
    "arrays": b"[" * BODY,
    "closed arrays": b"[" * (BODY // 2) + b"]" * (BODY // 2),
    "objects": b'{"":' * (BODY // 4),
    "an array of arrays": b"[" + b"[]," * (BODY // 3) + b"[]]",
    "digits": b'{"title":' + b"9" * BODY + b"}",
    "decimals": b'{"title":0.' + b"9" * BODY + b"}",
    "an exponent": b'{"title":1e' + b"9" * BODY + b"}",
    "a small exponent": b'{"title":' + b"9" * (BODY // 2) + b"e-" + b"9" * (BODY // 2) + b"}",
    "many numbers": b"[" + b"9e9," * (BODY // 4) + b"1]",
    "one name again and again": b"{" + b'"a":1,' * (BODY // 6) + b'"a":1}',
    "many names": b"{" + b",".join(b'"%x":1' % n for n in range(BODY // 10)) + b"}",
    "escapes": b'{"title":"' + b"\\u0000" * (BODY // 6) + b'"}',
    "lone surrogates": b'{"title":"' + b"\\ud800" * (BODY // 6) + b'"}',
    "backslashes": b'{"title":"' + b"\\\\" * (BODY // 2) + b'"}',
    "white space": b" " * BODY + b"{}",
    "not UTF-8": b"\xff" * BODY,
    "lines": b"\n" * BODY + b"x",
    "form": b"a=" * (BODY // 2),
    "parts of a form": b"--x\r\n" * (BODY // 5),
}


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("name", BODIES)
def test_in_every_body(
    app: Flask, stopwatch: Stopwatch, signed_in: dict[str, str], name: str, kind: str
) -> None:
    for method, rule in calls(app):
        common = {
            "method": method,
            "path": path_of(rule.replace("<user_id>", signed_in["user_id"])),
            "headers": {"Authorization": signed_in["Authorization"]},
            "content_type": kind,
        }
        usual = body({"title": "x" * BODY})
        stopwatch.compare(
            f"{method} {rule}", common | {"data": BODIES[name]}, common | {"data": usual}
        )


@pytest.mark.parametrize("header", HEADERS)
def test_in_every_header(
    app: Flask, stopwatch: Stopwatch, signed_in: dict[str, str], header: str
) -> None:
    for method, rule in calls(app):
        if rule not in READING_HEADERS:
            continue
        common = {
            "method": method,
            "path": path_of(rule.replace("<user_id>", signed_in["user_id"])),
            "data": b'{"title": "x"}',
        }
        usual = {"Content-Type": "application/json", "Authorization": signed_in["Authorization"]}
        for name, text in TEXTS.items():
            for start in dict.fromkeys(("", STARTS.get(header, ""))):
                # as WSGI has it: each byte a character
                hard = (start + text(HEAD)).encode().decode("latin-1")
                stopwatch.compare(
                    f"{method} {rule} {header}: {start}{name}",
                    common | {"headers": usual | {header: hard}},
                    common | {"headers": usual | {header: "x" * HEAD}},
                )


@pytest.mark.parametrize("name", TEXTS)
def test_in_every_part_of_a_path_and_in_every_query(
    app: Flask, stopwatch: Stopwatch, signed_in: dict[str, str], name: str
) -> None:
    hard = TEXTS[name](HEAD)
    common = {"headers": {"Authorization": signed_in["Authorization"]}}
    for method, rule in calls(app):
        own = rule.replace("<user_id>", signed_in["user_id"])
        for template in (rule, f"{own}/<user_id>"):
            path = template
            for part in ("<user_id>", "<task_id>", "<path:path>"):
                path = path.replace(part, "{0}", 1)
            stopwatch.compare(
                f"{method} {template}",
                common | {"method": method, "path": path.format(quote(hard, safe="/"))},
                common | {"method": method, "path": path.format("x" * HEAD)},
            )
        for parameter in (
            "{0}",
            "limit=1&cursor={0}",
            "q={0}",
            "tag={0}",
            "due_from={0}",
            "sort={0}",
        ):
            stopwatch.compare(
                f"{method} {rule}?{parameter}",
                common
                | {"method": method, "path": path_of(own), "query_string": parameter.format(hard)},
                common
                | {
                    "method": method,
                    "path": path_of(own),
                    "query_string": parameter.format("x" * HEAD),
                },
            )
