"""Bodies as they arrive: in chunks, byte by byte, after 100 Continue, too large, cut off, or unasked."""

import gzip
import json
import socket
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from resilience.input.json_cases import malformed
from support.live_service import LiveClient, LiveService, LiveUser, Reply
from support.wire import chunked, head, replies

ROUTES = ["signup", "login", "create", "update", "batch"]
LIMIT = 64 * 1024
Exchange = Callable[..., list[Reply]]


@pytest.fixture
def ann(service: LiveService, client: LiveClient) -> LiveUser:
    return service.sign_up(client)


@pytest.fixture
def exchange(service: LiveService, client: LiveClient, ann: LiveUser) -> Exchange:
    """Sends a body to a route in the pieces given, on a connection of its own; all answers."""
    calls = {
        "signup": "POST /api/auth/signup",
        "login": "POST /api/auth/login",
        "create": f"POST {ann.tasks}",
        "update": f"PUT {service.add(client, ann)}",
        "batch": f"POST {ann.tasks}/batch",
    }

    def exchange(
        route: str, *pieces: bytes, ends: bool = False, **headers: str | None
    ) -> list[Reply]:
        fields = {"Content_Type": "application/json", "Authorization": f"Bearer {ann.token}"}
        with service.open() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = f"{calls[route]} HTTP/1.1"
            connection.sendall(head(line, **(fields | headers), Connection="close"))
            for piece in pieces:
                connection.sendall(piece)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return list(replies(connection, service.scan))

    return exchange


def valid(route: str, ann: LiveUser) -> bytes:
    """A body that the route takes."""
    if route == "login":
        return json.dumps({"email": ann.email, "password": ann.password}).encode()
    if route == "signup":
        email = f"{uuid.uuid4().hex}@example.com"
        return json.dumps({"email": email, "password": "correct horse battery"}).encode()
    if route == "batch":
        return json.dumps({"operations": [{"op": "complete", "id": str(uuid.uuid4())}]}).encode()
    return b'{"title": "Buy oat milk"}'


def padded(body: bytes, size: int) -> bytes:
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("way", ["byte by byte", "in chunks", "in chunks of one byte", "expected"])
def test_a_body_may_arrive_in_any_way(
    exchange: Exchange, ann: LiveUser, route: str, way: str
) -> None:
    body = valid(route, ann)
    length = str(len(body))
    if way == "byte by byte":
        found = exchange(route, *(body[i : i + 1] for i in range(len(body))), Content_Length=length)
    elif way == "in chunks":
        found = exchange(route, chunked(body), Transfer_Encoding="chunked")
    elif way == "in chunks of one byte":
        sent = chunked(body, 1)
        pieces = [sent[i : i + 5] for i in range(0, len(sent), 5)]
        found = exchange(route, *pieces, Transfer_Encoding="chunked")
    else:
        found = exchange(route, body, Content_Length=length, Expect="100-continue")
        assert found.pop(0).status == 100
    assert [reply.status for reply in found] == [
        200 if route in ("login", "update", "batch") else 201
    ]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("in_chunks", [False, True], ids=["by length", "in chunks"])
def test_so_much_is_read_and_one_byte_more_is_413(
    exchange: Exchange, ann: LiveUser, route: str, in_chunks: bool, figure: Any
) -> None:
    def status(size: int) -> int:
        body = padded(valid(route, ann), size)
        if in_chunks:
            [reply] = exchange(route, chunked(body, 9000), Transfer_Encoding="chunked")
        else:
            [reply] = exchange(route, body, Content_Length=str(size))
        return reply.status

    limit = 8 * LIMIT if route == "batch" else LIMIT
    found = [status(limit - 1), status(limit), status(limit + 1), status(2 * limit)]
    good = 200 if route in ("login", "update", "batch") else 201
    assert found == [good, good, 413, 413]
    figure(
        2,
        f"{limit // 1024} KiB - 1, as many, + 1, twice as many{', in chunks' * in_chunks}: {route}",
        str(found)[1:-1],
    )


@pytest.mark.parametrize("route", ROUTES)
def test_deep_nesting_and_long_numbers_are_refused(exchange: Exchange, route: str) -> None:
    def status(body: bytes) -> int:
        [reply] = exchange(route, body, Content_Length=str(len(body)))
        return reply.status

    assert status(b"[" * 100_000 + b"]" * 100_000) == (400 if route == "batch" else 413)
    assert status(b"[" * 32_000 + b"]" * 32_000) == 400
    assert status(b'{"a":' * 13_000) == 400
    assert status(b'{"title": %s}' % (b"9" * 5000)) == 422
    assert status(b'{"email": -1e%s}' % (b"9" * 5000)) == 422


@pytest.mark.parametrize("route", ROUTES)
def test_a_compressed_body_is_refused_said_or_not(
    exchange: Exchange, ann: LiveUser, route: str
) -> None:
    body = gzip.compress(valid(route, ann))
    bomb = gzip.compress(b'{"title": "' + b" " * 10_000_000 + b'x"}')
    length = {"Content_Length": str(len(body))}
    for headers, sent, status in (
        (length, body, 400),
        (length | {"Content_Encoding": "gzip"}, body, 415),
        (length | {"Content_Encoding": "identity, gzip"}, body, 415),
        ({"Transfer_Encoding": "chunked", "Content_Encoding": "gzip"}, chunked(bomb), 415),
        ({"Transfer_Encoding": "gzip, chunked"}, chunked(body), 400),
        ({"Transfer_Encoding": "gzip"}, body, 400),
    ):
        assert [reply.status for reply in exchange(route, sent, **headers)] == [status], headers


CONTENT_TYPES = {
    415: [
        "",
        ";",
        "json",
        "application",
        "application / json",
        "application/json, text/plain",
        "application/json\r\nContent-Type: text/plain",
        "text/plain\r\nContent-Type: application/json",
        "application/json; charset=",
        "application/json; charset=utf-7",
        "application/json; charset=\xe9",
        'application/json; charset=a"b',
        "application/json; charset=utf-8; charset=utf-16",
        "a" * 8000,
    ],
    400: ["application/json\x00", "application/json\n"],
    200: [
        "application/json;",
        "application/json;;;",
        "APPLICATION/JSON\t",
        "application/json; " + "a=b; " * 1500,
        "application/json; charset*=utf-8''utf-8",
    ],
}


@pytest.mark.parametrize("route", ROUTES)
def test_only_application_json_in_utf8_is_read(
    exchange: Exchange, ann: LiveUser, route: str
) -> None:
    good = 200 if route in ("login", "update", "batch") else 201
    for expected, content_types in CONTENT_TYPES.items():
        for content_type in content_types:
            body = valid(route, ann)
            length = str(len(body))
            [reply] = exchange(route, body, Content_Length=length, Content_Type=content_type)
            status = 200 if reply.status == good else reply.status
            assert status == expected, ascii(content_type)[:100]
    [reply] = exchange(route, b"{}", Content_Length="2", Content_Type=None)
    assert reply.status == 415


@pytest.mark.parametrize("route", ROUTES)
def test_an_expectation_comes_to_no_harm(exchange: Exchange, ann: LiveUser, route: str) -> None:
    body = valid(route, ann)
    length = str(len(body))
    for headers, sent in (
        ({"Content_Length": length, "Expect": "100-Continue"}, body),
        ({"Content_Length": length, "Expect": "200-maybe"}, body),
        ({"Content_Length": "0", "Expect": "100-continue"}, b""),
        ({"Content_Length": length, "Expect": "100-continue", "Content_Type": "text/plain"}, body),
        ({"Content_Length": "x", "Expect": "100-continue"}, b""),
        ({"Content_Length": "9999999", "Expect": "100-continue"}, b""),
        ({"Transfer_Encoding": "chunked", "Expect": "100-continue"}, b"x\r\n\r\n"),
    ):
        *before, last = [reply.status for reply in exchange(route, sent, **headers)]
        assert set(before) <= {100}
        assert last in (200, 201, 400, 409, 413, 415), headers


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_that_ends_early_does_nothing(exchange: Exchange, ann: LiveUser, route: str) -> None:
    body = valid(route, ann)
    more = str(len(body) + 1)
    assert exchange(route, body, ends=True, Content_Length=more) == []
    assert exchange(route, chunked(body)[:-2], ends=True, Transfer_Encoding="chunked") == []
    assert exchange(route, ends=True, Content_Length=more, Expect="100-continue")[1:] == []


def test_calls_without_a_body_ignore_any(
    service: LiveService, client: LiveClient, ann: LiveUser
) -> None:
    task = service.add(client, ann)
    missing = f"{ann.tasks}/0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301"
    for body in [*list(malformed().values())[::5], b'{"is_completed": false}', b"x" * LIMIT]:
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-16"}
        for method, path, status in (
            ("PATCH", f"{task}/complete", 200),
            ("DELETE", missing, 404),
            ("GET", ann.tasks, 200),
        ):
            assert client.ask(method, path, body, headers, token=ann.token).status == status
    credentials = {"email": ann.email, "password": ann.password}
    for body in list(malformed().values())[::30]:
        token = client.ask("POST", "/api/auth/login", credentials).json["data"]["access_token"]
        assert client.ask("POST", "/api/auth/logout", body, token=token).status == 204
