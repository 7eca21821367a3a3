"""Clients that send or read slowly: how long they are borne with, and that nobody else waits for them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from support.live_service import live_service
from support.small_service import GET, SmallService, StartSmall, answers, read_all
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

TIMEOUT = 1  # seconds, instead of 15

SlowSenders = Callable[[SmallService], list[socket.socket]]

HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: my.id\r\n"
PARTS = {
    "a line": (b"POST /echo HT", "/echo"),
    "a head": (HEAD, "/echo"),
    "a body": (HEAD + b"Content-Length: 10\r\n\r\n01234", "/echo"),
    "a chunk": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n",
        "/echo",
    ),
    "a body that was asked for": (
        HEAD + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        "/echo",
    ),
    "what is no HTTP": (b"\x16\x03\x01", "/"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "path"), PARTS.values(), ids=PARTS)
def test_a_request_that_stops_half_way_is_answered_408(
    start: StartSmall, sent: bytes, path: str
) -> None:
    service = start(request_timeout=TIMEOUT)
    began = time.monotonic()
    client = service.open(sent)
    received = read_all(client).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert time.monotonic() - began >= TIMEOUT
    headers, problem = refusal(received)
    assert (problem["status"], problem["code"]) == (408, "request-timeout")
    assert problem["instance"] == path
    assert headers["Connection"] == "close"
    assert (headers["X-Request-ID"] == "my.id") == (b"my.id" in sent)
    assert problem["request_id"] == headers["X-Request-ID"]


def refusal(received: bytes) -> tuple[http.client.HTTPMessage, dict[str, object]]:
    """Headers and body of a problem document."""
    head, _, body = received.partition(b"\r\n\r\n")
    status, _, rest = head.partition(b"\r\n")
    assert status.split()[1] == b"408", received
    return http.client.parse_headers(BytesIO(rest + b"\r\n\r\n")), json.loads(body)


@pytest.mark.slow
@pytest.mark.parametrize("by", [-3600, 3600])
def test_a_clock_that_is_set_gives_no_time_and_takes_none(start: StartSmall, by: int) -> None:
    service = start(request_timeout=TIMEOUT)
    with service.open(GET) as idle, service.open(HEAD + b"Content-Length: 1\r\n\r\n") as late:
        assert b"hello" in idle.recv(65536)
        service.get(f"/set-clock?by={by}")
        began = time.monotonic()
        refusal(late.recv(65536))
        assert time.monotonic() - began < 10 * TIMEOUT
        idle.sendall(GET)  # it was not idle for long
        assert b"hello" in idle.recv(65536)


@pytest.mark.slow
def test_a_byte_now_and_then_gains_no_time(start: StartSmall) -> None:
    service = start(request_timeout=TIMEOUT)
    began = time.monotonic()
    with service.open(HEAD + b"Content-Length: 100000\r\n\r\n") as client:

        def answered() -> bool:
            client.send(b"x")
            client.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                return client.recv(1, socket.MSG_PEEK) != b""
            return False

        until(answered)
        assert time.monotonic() - began >= TIMEOUT
        refusal(client.recv(65536))

        def hung_up() -> bool:
            try:
                client.send(b"x")
            except OSError:
                return True
            return False

        until(hung_up)  # to keep sending holds no place either


@pytest.mark.slow
def test_each_request_of_a_connection_has_the_whole_time(start: StartSmall) -> None:
    service = start(request_timeout=2)
    with contextlib.closing(service.connect()) as connection:
        began = time.monotonic()
        while time.monotonic() - began < 4:
            connection.request("POST", "/echo", iter([b"01234", b"56789"]), encode_chunked=True)
            assert connection.getresponse().read() == b"0123456789"


@pytest.mark.slow
def test_a_kept_connection_may_idle_for_longer(start: StartSmall) -> None:
    service = start(request_timeout=TIMEOUT)
    with service.open(GET) as client, service.open(b"") as unused, service.open(b"\r\n") as blank:
        client.recv(65536)
        with service.open(b"GET / HT") as slow:  # begun later, and over
            refusal(slow.recv(65536))
        for one in (client, unused, blank):
            one.sendall(GET)
            assert answers(one.recv(65536))[0][1] == b"hello"


@pytest.mark.slow
def test_a_running_request_is_not_hurried_nor_the_one_behind_it(
    start: StartSmall, tmp_path: Path
) -> None:
    service = start(request_timeout=TIMEOUT)
    slow = f"GET /slow?seconds=3&began={tmp_path / 'began'} HTTP/1.1\r\nHost: x\r\n\r\n"
    with service.open(slow.encode() + GET[:-2]) as client:
        first = client.recv(65536)
        assert answers(first)[0][1] == b"hello"
        client.sendall(GET[-2:])
        assert answers(client.recv(65536))[0][1] == b"hello"


PIECES = {
    "a body in three pieces": (HEAD + b"Content-Length: 10\r\n\r\n", [b"0", b"12345", b"6789"]),
    "chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        [b"5\r\n01234\r\n", b"5\r\n56789\r\n", b"0\r\n\r\n"],
    ),
    "a head in three pieces": (
        HEAD[:10],
        [HEAD[10:], b"Content-Length: 10\r\n\r\n", b"0123456789"],
    ),
    "a body after 100 Continue": (
        HEAD + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        [b"01234", b"56789"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("head", "pieces"), PIECES.values(), ids=PIECES)
def test_a_slow_client_that_is_in_time_is_served(
    start: StartSmall, head: bytes, pieces: list[bytes]
) -> None:
    service = start(request_timeout=6)
    client = service.open(head)
    for piece in pieces:
        since = time.monotonic()
        until(lambda since=since: time.monotonic() - since > 1)  # a look of the server's at least
        client.sendall(piece)
    received = b""
    while not received.endswith(b"0123456789"):
        received += client.recv(65536)
    [(headers, _)] = answers(received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert headers["Connection"] is None
    client.close()


@pytest.fixture
def slow_senders() -> Iterator[Callable[[SmallService], list[socket.socket]]]:
    """Opens 200 connections with a part of a request on each."""
    with contextlib.ExitStack() as stack:
        yield lambda service: [stack.enter_context(service.open(HEAD)) for _ in range(200)]


def test_200_slow_senders_keep_nobody_waiting(start: StartSmall, slow_senders: SlowSenders) -> None:
    service = start(threads=2)
    slow, slowest = slow_senders(service), 0.0
    for _ in range(20):
        began = time.monotonic()
        assert service.get() == b"hello"
        slowest = max(slowest, time.monotonic() - began)
        for client in slow:
            client.send(b"X")
    assert slowest < 5  # 15 s is their time


@pytest.mark.slow
def test_200_slow_senders_at_once_are_all_refused(
    start: StartSmall, slow_senders: SlowSenders
) -> None:
    service = start(request_timeout=TIMEOUT, threads=2)
    for client in slow_senders(service):
        refusal(client.recv(65536))
    assert service.get() == b"hello"


# --- reading ---------------------------------------------------------------------------------


def reader(service: SmallService, request: bytes, buffer: int = 4096) -> socket.socket:
    """A client with room for little, that reads only what the test reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000
    )  # as on a network, not as at home
    client.settimeout(30)
    client.connect(("127.0.0.1", service.port))
    client.sendall(request)
    return client


def is_cut(client: socket.socket) -> bool:
    """Whether the server has reset the connection."""
    poll = select.poll()
    poll.register(client, 0)
    return bool(poll.poll(0))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1_000_000, 30_000_000], ids=["the kernel's", "the server's"])
def test_an_answer_that_nobody_takes_ends_the_connection(start: StartSmall, size: int) -> None:
    """The kernel takes the smaller one whole."""
    service = start(request_timeout=TIMEOUT)
    with reader(service, b"GET /big?bytes=%d HTTP/1.1\r\nHost: x\r\n\r\n" % size) as client:
        until(lambda: is_cut(client))
    assert service.get() == b"hello"


@pytest.mark.slow
def test_taking_byte_after_byte_gains_no_time(start: StartSmall) -> None:
    """10 kB/s where 16 are the least: the kernel sees progress all the time."""
    service = start(request_timeout=4)
    request = b"GET /big?bytes=30000000 HTTP/1.1\r\nHost: x\r\n\r\n"
    with reader(service, request, 8192) as client:

        def cut() -> bool:  # 100 times a second
            with contextlib.suppress(ConnectionResetError):
                client.recv(100)
            return is_cut(client)

        until(cut)


@pytest.mark.slow
def test_a_client_that_takes_an_answer_slowly_but_steadily_gets_it_whole(start: StartSmall) -> None:
    """At a pace at which the kernel, once it is full, takes nothing from the server for seconds."""
    service = start(request_timeout=TIMEOUT)
    began, size, rate = time.monotonic(), 5_000_000, 600_000
    request = b"GET /big?bytes=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % size
    received = bytearray()
    with reader(service, request, 1 << 16) as client:
        while data := client.recv(40_000):
            received += data
            pause = began + len(received) / rate - time.monotonic()
            if pause > 0:
                select.select([], [], [], pause)
    assert time.monotonic() - began > 3 * TIMEOUT
    [(_, body)] = answers(bytes(received))
    assert len(body) == size


@pytest.mark.slow
def test_a_client_that_always_has_an_answer_to_take_is_not_cut_off(start: StartSmall) -> None:
    service = start(request_timeout=TIMEOUT)
    get = b"GET /big?bytes=10000 HTTP/1.1\r\nHost: x\r\n\r\n"
    ends = time.monotonic() + 4 * TIMEOUT
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # a few KB: the rest waits there
        client.settimeout(10)
        client.connect(("127.0.0.1", service.port))
        client.sendall(4 * get)
        with client.makefile("rb") as answers:
            while time.monotonic() < ends:  # asks for the next one before it has taken the last
                status = answers.readline()
                headers = http.client.parse_headers(answers)
                assert status == b"HTTP/1.1 200 OK\r\n", "cut off"
                assert len(answers.read(int(headers["Content-Length"]))) == 10_000
                client.sendall(get)


@pytest.mark.slow
def test_a_pace_that_would_hold_a_large_answer_for_long_is_cut_off(start: StartSmall) -> None:
    """120 kB/s, where 64 KiB are the least in each second, and 240 on average."""
    service = start(request_timeout=TIMEOUT)
    began, taken, rate = time.monotonic(), 0, 120_000
    request = b"GET /big?bytes=20000000 HTTP/1.1\r\nHost: x\r\n\r\n"
    with reader(service, request, 1 << 16) as client:

        def cut() -> bool:
            nonlocal taken
            with contextlib.suppress(ConnectionResetError):
                while taken < rate * (time.monotonic() - began):
                    taken += len(client.recv(10_000))
            return is_cut(client)

        until(cut)
    assert taken < 20_000_000
    assert "read its answer too slowly (slow)" in service.log()


@pytest.mark.slow
def test_no_thread_waits_for_clients_that_send_their_next_request_and_do_not_read(
    start: StartSmall,
) -> None:
    service = start(threads=2)
    request = b"GET /big?bytes=20000000 HTTP/1.1\r\nHost: x\r\n\r\n" * 3
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(reader(service, request, 1 << 20)) for _ in range(4)]
        began = time.monotonic()
        for _ in range(20):
            assert service.get() == b"hello"
        assert time.monotonic() - began < 10  # 15 s is the time of those who read nothing
        for client in clients:  # the answers come one after the other, and whole
            assert [len(body) for body in bodies(client, 3)] == [20_000_000] * 3


def bodies(client: socket.socket, number: int) -> Iterator[bytes]:
    """The bodies of the next answers."""
    with client.makefile("rb") as stream:
        for _ in range(number):
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
            yield stream.read(int(http.client.parse_headers(stream)["Content-Length"]))


def test_the_kernel_holds_little_of_a_large_answer(start: StartSmall) -> None:
    """The reader sees only what the kernel had, after the service was killed."""
    service = start()
    with reader(service, b"GET /big?bytes=20000000 HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        assert client.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
        os.kill(service.pid(), signal.SIGKILL)
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while data := client.recv(1 << 16):
                taken += len(data)
    assert 0 < taken < 1_000_000


def test_threads_that_send_to_nobody_are_free_again(start: StartSmall) -> None:
    """Several large answers at once are more than the server keeps, so that a thread has to wait."""
    service = start(request_timeout=TIMEOUT, threads=2)
    request = b"GET /big?bytes=20000000 HTTP/1.1\r\nHost: x\r\n\r\n" * 3
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(reader(service, request))
        assert service.get() == b"hello"


# --- the whole service -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_slow_reader_of_1_000_tasks_is_cut_off(
    database_url: str, superuser: psycopg.Connection[object], tmp_path: Path
) -> None:
    with live_service(database_url, tmp_path, REQUEST_TIMEOUT="1") as service:
        server = urlsplit(service.url)
        connection = http.client.HTTPConnection(server.netloc, timeout=60)
        account = json.dumps({"email": "ann@example.com", "password": "correct horse battery"})
        json_type = {"Content-Type": "application/json"}
        connection.request("POST", "/api/auth/signup", account, json_type)
        session = json.loads(connection.getresponse().read())["data"]
        superuser.execute(
            "INSERT INTO tasks (user_id, title) SELECT user_id, 'Buy oat milk'"
            " FROM users, generate_series(1, 1000)"
        )
        head = (
            f"GET /api/{session['user_id']}/tasks HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {session['access_token']}\r\n\r\n"
        )
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((server.hostname, server.port))
            client.sendall(head.encode())
            client.settimeout(30)
            assert client.recv(12) == b"HTTP/1.1 200"
            until(lambda: is_cut(client))
        connection.request("GET", "/health/ready")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        connection.close()
