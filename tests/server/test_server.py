"""The HTTP service as a process: what it promises to clients, operators and the kernel."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import select
import signal
import socket
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.processes import children
from support.small_service import GET, PATIENCE, SmallService, StartSmall, answers, read_all
from support.waiting import until
from todo_api.web.problem_codes import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep a worker from running: what clients send meanwhile it finds later, all at once."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def slow(seconds: float, began: Path) -> bytes:
    return f"GET /slow?seconds={seconds}&began={began} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


# --- the end ---------------------------------------------------------------------------------


class Hammer(threading.Thread):
    """A client that sends one request after the other, until the server is gone."""

    def __init__(self, service: SmallService) -> None:
        super().__init__()
        self.service = service
        self.answered = 0
        self.lost: list[BaseException] = []

    def run(self) -> None:
        while True:
            connection = self.service.connect()
            on_this_one = 0
            try:
                while True:
                    connection.request("GET", "/big?bytes=20000")
                    response = connection.getresponse()
                    assert response.read() == b"x" * 20000
                    on_this_one += 1
                    self.answered += 1
                    if response.will_close:
                        break
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException, AssertionError) as error:
                # The kernel may reset a connection that no worker had accepted.
                if on_this_one or not isinstance(error, ConnectionResetError):
                    self.lost.append(error)
                return
            finally:
                connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_no_accepted_request_is_lost_when_stopped_under_load(
    start: StartSmall, workers: int
) -> None:
    for _ in range(3):
        service = start(workers=workers)
        clients = [Hammer(service) for _ in range(50)]
        for client in clients:
            client.start()
        while min(client.answered for client in clients) < 2:
            assert any(client.is_alive() for client in clients)
            time.sleep(0.01)
        service.signal()
        assert service.process.wait(10) == 0
        for client in clients:
            client.join()
        assert [client.lost for client in clients if client.lost] == []
        assert "Task queue depth" not in service.log()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_running_and_queued_requests_are_finished(
    start: StartSmall, workers: int, tmp_path: Path
) -> None:
    service = start(workers=workers, threads=1)
    began = tmp_path / "began"
    clients = [service.open(slow(0.5, began)) for _ in range(4)]
    until(began.exists)
    service.signal()
    for client in clients:
        [(headers, body)] = answers(read_all(client))
        assert (headers["Connection"], body) == ("close", b"hello")
    assert service.process.wait(10) == 0


def test_connections_in_the_backlog_are_served(start: StartSmall) -> None:
    service = start()
    with stopped(service.pid()):
        clients = [service.open(GET) for _ in range(20)]
        service.signal()
        until(lambda: "SIGTERM: finishing" in service.log())
    for client in clients:
        [(headers, _)] = answers(read_all(client))
        assert headers["Connection"] == "close"
    assert service.process.wait(10) == 0


def test_a_request_under_way_on_an_idle_connection_is_answered(
    start: StartSmall,
) -> None:
    service = start()
    client = service.open(GET)
    assert answers(client.recv(65536))[0][0]["Connection"] is None
    service.signal()
    service.stops_listening()
    client.sendall(GET)
    [(headers, _)] = answers(read_all(client))
    assert headers["Connection"] == "close"
    assert service.process.wait(10) == 0


@pytest.mark.slow
def test_a_request_that_comes_while_others_are_hung_up_on_is_answered(start: StartSmall) -> None:
    service = start(pauses=True)
    with service.open(GET) as first, service.open(GET) as second:
        for client in (first, second):
            client.recv(65536)
        service.signal()
        assert first.recv(1) == b""
        second.sendall(GET)
        [(headers, _)] = answers(read_all(second))
    assert headers["Connection"] == "close"
    assert service.process.wait(10) == 0


@pytest.mark.slow
def test_idle_connections_do_not_hold_up_the_end(start: StartSmall) -> None:
    service = start()
    with service.open(GET) as used, service.open(b"") as unused, service.open(b"\r\n") as blank:
        used.recv(65536)
        service.get()
        service.signal()
        assert service.process.wait(7) == 0
        assert [client.recv(1) for client in (used, unused, blank)] == [b"", b"", b""]


def test_a_request_that_has_arrived_in_part_may_be_completed(start: StartSmall) -> None:
    service = start()
    client = service.open(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    service.get()
    service.signal()
    service.stops_listening()
    client.sendall(b"56789")
    [(headers, body)] = answers(read_all(client))
    assert (headers["Connection"], body) == ("close", b"0123456789")
    assert service.process.wait(10) == 0


@pytest.mark.parametrize(
    ("version", "options", "answered"),
    [
        ("1.1", "keep-alive, Close", "close"),
        ("1.1", "CLOSE", "close"),
        ("1.1", "TE,close", "close"),
        ("1.1", "TE, Keep-Alive", None),
        ("1.1", "closed", None),
        ("1.0", "TE, keep-alive", "Keep-Alive"),
        ("1.0", "Keep-Alive, close", "close"),
        ("1.0", "TE", "close"),
    ],
)
def test_connection_is_a_list_of_options_in_any_letter_case(
    start: StartSmall, version: str, options: str, answered: str | None
) -> None:
    service = start()
    request = f"GET / HTTP/{version}\r\nHost: x\r\nConnection: {options}\r\n\r\n".encode()
    with service.open(request) as client:
        [(headers, body)] = answers(client.recv(65536))
        assert (headers["Connection"], body) == (answered, b"hello")
        if answered == "close":
            assert client.recv(1) == b""
        else:
            client.sendall(request)
            assert answers(client.recv(65536))[0][1] == b"hello"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_sends_no_more_gets_its_answer(start: StartSmall, version: str) -> None:
    service = start()
    with service.open(f"GET / HTTP/{version}\r\nHost: x\r\n\r\n".encode()) as client:
        client.shutdown(socket.SHUT_WR)
        [(_, body)] = answers(read_all(client))
        assert body == b"hello"


def test_pipelined_requests_are_all_answered(start: StartSmall, tmp_path: Path) -> None:
    service = start()
    began = tmp_path / "began"
    client = service.open(slow(0.5, began) + GET + GET)
    until(began.exists)
    service.signal()
    connection = [headers["Connection"] for headers, _ in answers(read_all(client))]
    assert connection == [None, None, "close"]
    assert service.process.wait(10) == 0


@pytest.mark.slow
def test_a_big_answer_to_a_slow_reader_is_sent_whole(start: StartSmall) -> None:
    service = start()
    client = service.open(b"GET /big?bytes=30000000 HTTP/1.1\r\nHost: x\r\n\r\n")
    received = client.recv(1)
    service.signal()
    service.stops_listening()
    [(_, body)] = answers(received + read_all(client))
    assert len(body) == 30_000_000
    assert service.process.wait(10) == 0


@pytest.mark.slow
def test_a_request_that_never_ends_is_cut_off(start: StartSmall, tmp_path: Path) -> None:
    service = start()
    with service.open(slow(60, tmp_path / "began")):
        until((tmp_path / "began").exists)
        service.signal()
        assert service.process.wait(10) == 1
    assert "cut off 1 connections" in service.log()


@pytest.mark.slow
def test_ctrl_c_drains_once_and_cuts_short_the_second_time(
    start: StartSmall, tmp_path: Path
) -> None:
    service = start(workers=2)
    first = service.open(slow(0.5, tmp_path / "first"))
    second = service.open(slow(60, tmp_path / "second"))
    with second:
        until(lambda: (tmp_path / "first").exists() and (tmp_path / "second").exists())
        os.killpg(service.process.pid, signal.SIGINT)  # as the terminal does
        os.killpg(service.process.pid, signal.SIGINT)  # and a launcher that passes it on
        assert answers(read_all(first))[0][1] == b"hello"

        while "a second SIGINT: worker" not in service.log():
            assert "still busy" not in service.log()
            service.signal(signal.SIGINT)
            time.sleep(0.05)
        assert service.process.wait(PATIENCE) == 1
    assert "cut off" not in service.log()


def test_workers_end_with_a_killed_parent_but_answer_first(
    start: StartSmall, tmp_path: Path
) -> None:
    service = start(workers=2)
    client = service.open(slow(0.5, tmp_path / "began"))
    until((tmp_path / "began").exists)
    service.signal(signal.SIGKILL)
    assert answers(read_all(client))[0][1] == b"hello"
    assert service.process.stdout is not None
    ended, _, _ = select.select([service.process.stdout], [], [], PATIENCE)
    # The end of the file: no process has it open any more.
    assert ended
    assert service.process.stdout.read() == b""


# --- the workers -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(start: StartSmall) -> None:
    service = start()
    pid = service.pid()
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.get("/die")
    assert service.pid() != pid
    assert f"WARNING worker {pid} was ended by SIGKILL; starting another" in service.log()


@pytest.mark.slow
def test_a_worker_ended_alone_drains_and_is_replaced(start: StartSmall, tmp_path: Path) -> None:
    service = start()
    pid = service.pid()
    client = service.open(slow(0.5, tmp_path / "began"))
    until((tmp_path / "began").exists)
    os.kill(pid, signal.SIGTERM)
    assert answers(read_all(client))[0][1] == b"hello"
    assert service.pid() != pid


@pytest.mark.slow
def test_a_worker_that_can_not_start_again_is_tried_again_at_leisure(
    start: StartSmall, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    service = start(broken=str(broken))
    broken.touch()
    os.kill(service.pid(), signal.SIGKILL)
    failure = "WARNING RuntimeError: no database; starting another in 1 s"
    until(lambda: service.log().count(failure) >= 2)
    first, second = [
        float(line.split()[0]) for line in service.log().splitlines() if failure in line
    ][:2]
    assert second - first > 0.9
    broken.unlink()
    assert service.get() == b"hello"


def test_an_application_that_can_not_start_ends_the_service(
    start: StartSmall, tmp_path: Path
) -> None:
    service = start(workers=2, broken=str(tmp_path))
    assert service.process.wait(PATIENCE) == 1
    assert service.url == ""
    last = service.log().splitlines()[-1]
    assert last == "Error: the service could not start: RuntimeError: no database"


@pytest.mark.slow
def test_the_service_sleeps_when_there_is_nothing_to_do(start: StartSmall) -> None:
    service = start(workers=2)
    pids = [service.process.pid, *children(service.process.pid)]
    assert len(pids) == 3

    def switches() -> int:
        lines = [
            line
            for pid in pids
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("voluntary_ctxt_switches")
        ]
        return sum(int(line.split()[1]) for line in lines)

    service.get()
    before, since = switches(), time.monotonic()
    until(lambda: time.monotonic() - since > 1)
    assert switches() - before < 30


# --- the address -----------------------------------------------------------------------------


def test_an_address_in_use_is_one_clear_line(start: StartSmall) -> None:
    port = start().port
    second = start(port=port)
    assert second.process.wait(PATIENCE) == 1
    assert second.log() == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_foreign_address_is_one_clear_line(start: StartSmall) -> None:
    service = start(host="192.0.2.1", port=8000)
    assert service.process.wait(PATIENCE) == 1
    expected = "Error: cannot listen on 192.0.2.1:8000: Cannot assign requested address\n"
    assert service.log() == expected


def test_a_port_is_free_again_at_once(start: StartSmall) -> None:
    first = start()
    first.get()
    first.signal()
    first.process.wait(10)
    assert start(port=first.port).get() == b"hello"


def test_ipv6_wildcard_serves_ipv4_clients_under_their_ipv4_address(
    start: StartSmall,
) -> None:
    service = start(host="::")
    assert service.url == f"http://[::]:{service.port}"
    assert json.loads(service.get("/environ"))["REMOTE_ADDR"] == "127.0.0.1"


# --- answers ---------------------------------------------------------------------------------


def test_an_answer_without_content_keeps_the_connection(start: StartSmall) -> None:
    service = start()
    with contextlib.closing(service.connect()) as connection:
        for _ in range(2):
            connection.request("DELETE", "/gone")
            response = connection.getresponse()
            assert (response.status, response.read()) == (204, b"")
            assert response.headers["Connection"] is None
            assert response.headers["Server"] is None


def test_an_answer_that_the_application_did_not_measure_has_its_length(start: StartSmall) -> None:
    service = start()
    with contextlib.closing(service.connect()) as connection:
        for _ in range(2):
            connection.request("GET", "/unmeasured")
            response = connection.getresponse()
            assert response.headers["Content-Length"] == "5"
            assert response.read() == b"hello"


def test_forwarded_headers_reach_the_application(start: StartSmall) -> None:
    service = start()
    with contextlib.closing(service.connect()) as connection:
        connection.putrequest("GET", "/environ")
        connection.putheader("X-Forwarded-For", "192.0.2.1")
        connection.putheader("X-Forwarded-For", "192.0.2.2")
        connection.endheaders()
        environ = json.loads(connection.getresponse().read())
    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.1, 192.0.2.2"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"


BROKEN = {
    "no HTTP": (b"\x16\x03\x01\x02\r\n\r\n", "malformed-request", "/"),
    "a header without colon": (
        b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nsecret\r\n\r\n",
        "malformed-request",
        "/a%20b",
    ),
    "a length that is none": (
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "malformed-request",
        "/a",
    ),
    "an unknown transfer encoding": (
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        "malformed-request",
        "/a",
    ),
    "a chunk that is none": (
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
        "malformed-request",
        "/a",
    ),
    "a bare line feed": (
        b"GET /a HTTP/1.1\r\nHost: x\r\nA: secret\nB: c\r\n\r\n",
        "malformed-request",
        "/a",
    ),
    "too large a head": (
        b"GET /a<b HTTP/1.1\r\nHost: x\r\nA: " + b"secret" * 4000 + b"\r\n\r\n",
        "headers-too-large",
        "/a%3Cb",
    ),
    "too large a body": (
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,
        "payload-too-large",
        "/a",
    ),
    "too large a chunked body": (
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2DC6C0\r\n"
        + b"x" * 3_000_000,
        "payload-too-large",
        "/a",
    ),
    "a bug": (
        b"GET /fail HTTP/1.1\r\nHost: x\r\nX-Request-ID: my.id\r\n\r\n",
        "internal-error",
        "/fail",
    ),
    "a bug of the system": (
        b"GET /os-error HTTP/1.1\r\nHost: x\r\n\r\n",
        "internal-error",
        "/os-error",
    ),
}


def test_what_the_server_refuses_is_a_problem_document(start: StartSmall) -> None:
    service = start()
    for what, (request, name, path) in BROKEN.items():
        client = service.open(request)  # a body is sent to its end before the answer is read
        client.shutdown(socket.SHUT_WR)
        head, _, body = read_all(client).partition(b"\r\n\r\n")
        status, _, rest = head.partition(b"\r\n")
        headers = http.client.parse_headers(BytesIO(rest + b"\r\n\r\n"))
        problem = json.loads(body)
        assert status.split()[1] == b"%d" % CODES[name].status, what
        request_id = headers["X-Request-ID"]
        assert problem == {
            "type": f"/problems#{name}",
            "title": CODES[name].title,
            "status": CODES[name].status,
            "detail": problem["detail"],
            "instance": path,
            "code": name,
            "request_id": request_id,
        }, what
        assert (request_id == "my.id") == (b"my.id" in request), what
        assert b"secret" not in body, what
        assert b"inside" not in body, what
        assert headers["Content-Type"] == "application/problem+json"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert (
            headers["Content-Security-Policy"]
            == "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["Connection"] == "close"
        assert headers["Server"] is None
        assert int(headers["Content-Length"]) == len(body)
    assert service.get() == b"hello"


@pytest.mark.parametrize(
    "request_",
    [b"HEAD /fail HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: x\r\nsecret\r\n\r\n"],
)
def test_head_is_refused_without_a_body(start: StartSmall, request_: bytes) -> None:
    received = read_all(start().open(request_))
    assert received.endswith(b"\r\n\r\n")
    assert received.count(b"\r\n\r\n") == 1
    assert b"Content-Type: application/problem+json" in received


# --- many connections ------------------------------------------------------------------------


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
def test_it_answers_beside_1100_idle_connections(start: StartSmall) -> None:
    service = start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(service.open(b"")) for _ in range(1100)]
        for client in (clients[-1], clients[0]):
            client.sendall(GET)
            assert answers(client.recv(65536))[0][1] == b"hello"


def test_the_event_loop_rests_while_a_thread_sends(start: StartSmall) -> None:
    """With waitress's own writable() these are thousands of turns, and a collapse under load."""
    service = start(count_turns=True)
    before = int(service.get("/turns"))
    client = service.open(b"GET /big?bytes=100000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while not select.select([client], [], [], 0)[0]:
        service.get()  # wakes the loop
        time.sleep(0.02)
    assert len(answers(read_all(client))[0][1]) == 100_000
    assert int(service.get("/turns")) - before < 1000
