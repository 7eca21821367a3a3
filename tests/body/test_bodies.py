"""What a body may be: 415, 400, 413, 422, in that order and after 401 and 403."""

import gzip
import json
import threading
from contextlib import closing
from http.client import HTTPConnection
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

pytestmark = pytest.mark.contract
ROUTES = ["signup", "login", "reset", "create", "update"]


@pytest.fixture
def send(client, ann):
    """Sends a raw body to a route that takes one."""
    task = ann.add()

    def send(route, data, content_type="application/json", **rest):
        method, path = {
            "signup": ("POST", "/api/auth/signup"),
            "login": ("POST", "/api/auth/login"),
            "reset": ("POST", "/api/auth/reset"),
            "create": ("POST", ann.tasks),
            "update": ("PUT", ann.path_of(task)),
            "patch": ("PATCH", ann.path_of(task)),
        }[route]
        headers = {"Content-Type": content_type} if content_type else {}
        return ann.call(method, path, data=data, headers=headers | rest.pop("headers", {}), **rest)

    return send


VALID = {
    "signup": {"email": "new@example.com", "password": "correct horse battery"},
    "login": {"email": "ann@example.com", "password": "correct horse battery"},
    "reset": {"code": "no such code", "new_password": "correct horse battery"},
    "create": {"title": "Buy oat milk"},
    "update": {"title": "Buy oat milk"},
    "patch": {"title": "Buy oat milk"},
}
DEEP = 1001
MALFORMED = {
    "empty": b"",
    "white space": b" \n",
    "not json": b"title=x",
    "cut off": b'{"title": "x"',
    "trailing junk": b'{"title": "x"} x',
    "two values": b'{"title": "x"}{}',
    "trailing comma": b'{"title": "x",}',
    "single quotes": b"{'title': 'x'}",
    "comment": b'{"title": "x"} // x',
    "bare control character": b'{"title": "a\nb"}',
    "bad escape": b'{"title": "\\x41"}',
    "NaN": b'{"title": NaN}',
    "Infinity": b'{"title": Infinity}',
    "-Infinity": b'{"title": -Infinity}',
    "duplicate key": b'{"title": "x", "title": "y"}',
    "duplicate key inside": b'{"title": {"a": 1, "a": 2}}',
    "byte-order mark": b'\xef\xbb\xbf{"title": "x"}',
    "utf-16": '{"title": "x"}'.encode("utf-16"),
    "utf-16 without a mark": '{"title": "x"}'.encode("utf-16-le"),
    "latin-1": '{"title": "ü"}'.encode("latin-1"),
    "overlong utf-8": b'{"title": "\xc0\xaf"}',
    "raw surrogate": b'{"title": "\xed\xa0\x80"}',
    "too deep": b"[" * DEEP + b"]" * DEEP,
    "too deep inside": b'{"title": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "far too deep": b"[" * 60_000,
    "leading zero": b'{"title": 01}',
    "NUL": b"\x00",
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_well_formed_json_is_400(send, route, body):
    answer = send(route, body)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed-request")


WRONG_SHAPES = {
    "array": [],
    "string": "title",
    "number": 1,
    "true": True,
    "null": None,
    "nested array": [[{}]],
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", WRONG_SHAPES.values(), ids=WRONG_SHAPES.keys())
def test_json_that_is_not_an_object_is_422(send, route, body):
    answer = send(route, json.dumps(body))
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert answer.json["errors"] == [{"field": "", "message": "must be a JSON object"}]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "value", ["null", "1", "1.5", "1e999", "true", "[]", "{}", "[" * 900 + "]" * 900, "9" * 5000]
)
def test_wrong_types_are_422_and_nothing_is_coerced(send, route, value):
    name = next(iter(VALID[route]))
    body = VALID[route] | {name: "?"}
    answer = send(route, json.dumps(body).replace('"?"', value))
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"field": name, "message": "must be a string"}]


@pytest.mark.parametrize("value", ['"true"', "1", "0", "null", "[]", '""'])
def test_is_completed_is_true_or_false_and_nothing_else(send, value):
    answer = send("update", f'{{"is_completed": {value}}}')
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"field": "is_completed", "message": "must be true or false"}]


@pytest.mark.parametrize("route", ["signup", "login"])
def test_a_422_names_every_field_unknown_ones_too(send, route):
    answer = send(route, '{"email": 1, "colour": "blue", "user_id": "x"}')
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json["errors"]} == {
        "email", "password", "colour", "user_id",
    }  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_unknown_fields_are_422(send, route):
    answer = send(route, json.dumps(VALID[route] | {"is_admin": True}))
    assert answer.json["errors"] == [{"field": "is_admin", "message": "is not a known field"}]


def test_a_field_name_that_no_answer_can_carry_is_still_422(send):
    assert send("create", b'{"\\ud800": 1, "title": "x"}').status_code == 422


def test_a_missing_title_is_422(send):
    assert send("create", "{}").json["errors"] == [{"field": "title", "message": "is required"}]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "content_type",
    [
        None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/problem+json", "application/vnd.api+json", "application/jsonx", "text/json", "*/*",
        "application/json; charset=latin-1", "application/json; charset=utf-16",
        "application/json; charset=utf8", "json", "application",
    ],
)  # fmt: skip
def test_another_content_type_or_charset_is_415(send, route, content_type):
    answer = send(route, json.dumps(VALID[route]), content_type)
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "Application/JSON", "application/json; charset=utf-8",
        "application/json;charset=UTF-8", 'application/json; charset="utf-8"', "application/json; foo=bar",
    ],
)  # fmt: skip
def test_application_json_in_utf8_is_taken(send, content_type):
    assert send("create", json.dumps(VALID["create"]), content_type).status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity"])
def test_a_compressed_body_is_415(send, encoding):
    body = gzip.compress(json.dumps(VALID["create"]).encode())
    answer = send("create", body, headers={"Content-Encoding": encoding})
    assert answer.status_code == 415


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_over_64_kib_is_413_and_one_of_64_kib_is_read(send, route):
    body = json.dumps(VALID[route]).encode()
    exact = body + b" " * (64 * 1024 - len(body))
    # no code is good here
    assert send(route, exact).status_code in ((401,) if route == "reset" else (200, 201))
    answer = send(route, exact + b" ")
    assert (answer.status_code, answer.json["code"]) == (413, "payload-too-large")


BAD = {
    "415": ("x", "text/plain"),
    "400": ("x", "application/json"),
    "422": ("[]", "application/json"),
}


@pytest.mark.parametrize(("body", "content_type"), BAD.values(), ids=BAD.keys())
def test_the_body_is_judged_after_the_token_and_the_user_and_before_the_task(
    client, ann, bob, body, content_type
):
    missing = f"{ann.tasks}/not-a-uuid"
    sent = {"data": body, "content_type": content_type}
    expected = next(status for status, bad in BAD.items() if bad == (body, content_type))
    assert client.put(missing, **sent).status_code == 401
    assert ann.put(f"{bob.tasks}/not-a-uuid", **sent).status_code == 403
    assert ann.put(missing, **sent).status_code == int(expected)
    assert ann.put(missing, json={}).status_code == 404
    ann.post("/api/auth/logout")
    assert ann.put(missing, **sent).status_code == 401
    assert ann.post(ann.tasks, **sent).status_code == 401
    assert ann.put(f"{bob.tasks}/not-a-uuid", **sent).status_code == 401


def test_a_server_whose_stream_ends_with_the_connection_is_not_waited_for(app, ann):
    """wsgiref's stream is the connection itself, which the client leaves open for its next request."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with closing(HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as client:
            headers = {"Authorization": f"Bearer {ann.token}", "Content-Type": "application/json"}
            client.request("POST", ann.tasks, '{"title": "Buy oat milk"}', headers)
            assert client.getresponse().status == 201
        thread.join()
