"""Raw requests, straight to the service and through nginx: no 5xx, and nobody gets another's answer."""

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from resilience.input.raw_requests import CASES, CUT_OFF, NO_VERSION, SMUGGLED, Case
from support.live_service import LiveClient, LiveService, LiveUser, Reply
from support.nginx import Nginx, nginx
from support.waiting import until
from support.wire import head, marker, replies

Open = Callable[[], socket.socket]
# nginx's own, which say just what is wrong: a transfer coding, a version that it doesn't know
ITS_OWN = {501, 505}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture(scope="module")
def before(running: LiveService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx(running.port, tmp_path_factory.mktemp("nginx")) as found:
        yield found


@pytest.fixture
def ann(service: LiveService, client: LiveClient) -> LiveUser:
    return service.sign_up(client)


@pytest.fixture
def titles(service: LiveService, ann: LiveUser) -> Iterator[Callable[[], list[str]]]:
    """The titles that Ann's tasks have in the table."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        yield lambda: [
            title
            for (title,) in connection.execute(
                "SELECT title FROM tasks WHERE user_id = %s", [ann.id]
            ).fetchall()
        ]


def filled(case: Case, ann: LiveUser, smuggled: str) -> bytes:
    """The case's bytes, with a request in them that adds a task named `smuggled`."""
    body = json.dumps({"title": smuggled}).encode()
    inner = head(
        f"POST {ann.tasks} HTTP/1.1", Authorization=f"Bearer {ann.token}", X_Request_ID=smuggled,
        Content_Type="application/json", Content_Length=str(len(body)),
    ) + body  # fmt: skip
    lengths = ((b"<LENGTH>", b"%d" % len(inner)), (b"<HEX>", b"%x" % len(inner)))
    data = case.data.replace(SMUGGLED, inner)
    for placeholder, length in lengths:
        data = data.replace(placeholder, length)
    return data


def attack(open_: Open, service: LiveService, data: bytes) -> tuple[str, list[Reply]]:
    """Send `data` and a marker behind it; the marker's id and what came back."""
    marked, request = marker()
    with open_() as connection:
        with suppress(ConnectionError):  # refused and closed before all was sent
            connection.sendall(data + request)
        found = list(replies(connection, service.scan))
    return marked, [reply for reply in found if reply.status >= 200]


def is_marked(reply: Reply, marked: str) -> bool:
    return reply.headers["X-Request-ID"] == marked


def check(open_: Open, service: LiveService, data: bytes, smuggled: str) -> list[Reply]:
    """Send `data`, and then a marker on other connections; what came back for `data`."""
    marked, found = attack(open_, service, data)
    assert found, "no answer"
    # Whoever comes next, on whatever connection the proxy keeps, gets what is his.
    for _ in range(2):
        later, [reply] = attack(open_, service, b"")
        assert is_marked(reply, later)
        assert reply.json["instance"] == f"/{later}"
    # The marker's answer is the last one, or the connection ended before it.
    assert not any(is_marked(reply, marked) for reply in found[:-1])
    ran = [reply.status for reply in found if is_marked(reply, smuggled)]
    assert ran == ([201] if smuggled in service.log() else [])
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_raw_request_gets_its_own_answer(
    service: LiveService, ann: LiveUser, case: Case, titles: Callable[[], list[str]]
) -> None:
    smuggled = f"smuggled-{uuid.uuid4().hex}"
    found = check(service.open, service, filled(case, ann, smuggled), smuggled)
    assert found[0].status in case.statuses
    assert max(reply.status for reply in found) < 500
    assert titles() == ([smuggled] if case.executed else [])
    if found[0].status >= 400:
        assert found[0].headers["Content-Type"] == "application/problem+json"


@pytest.mark.programs
@pytest.mark.parametrize(
    "case",
    # which nginx answers as HTTP/0.9 was answered, without a head
    [case for case in CASES if case.name != NO_VERSION],
    ids=lambda case: case.name,
)
def test_a_raw_request_gets_its_own_answer_through_nginx(
    service: LiveService, before: Nginx, ann: LiveUser, case: Case, titles: Callable[[], list[str]]
) -> None:
    smuggled = f"smuggled-{uuid.uuid4().hex}"
    found = check(before.open, service, filled(case, ann, smuggled), smuggled)
    assert {reply.status for reply in found if reply.status >= 500} <= ITS_OWN
    if titles():  # then nginx read it as a request too: both read the connection in the same way
        assert titles() == [smuggled]
        until(lambda: before.saw(f"POST {ann.tasks}"))


def cut_off(open_: Open, service: LiveService) -> None:
    for what, data in CUT_OFF.items():
        for reset in (False, True):
            with open_() as connection:
                if reset:  # close() then sends a reset
                    linger = b"\1\0\0\0\0\0\0\0"
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.sendall(data)
            marked, [reply] = attack(open_, service, b"")
            assert is_marked(reply, marked), what
    assert '"status": 5' not in service.log()


def test_a_client_that_goes_in_the_middle_leaves_nothing_behind(
    service: LiveService, titles: Callable[[], list[str]]
) -> None:
    cut_off(service.open, service)
    assert titles() == []


@pytest.mark.programs
def test_a_client_that_goes_in_the_middle_leaves_nothing_behind_nginx(
    service: LiveService, before: Nginx
) -> None:
    cut_off(before.open, service)


def pipelined(open_: Open, service: LiveService) -> int:
    """How many of 50 requests sent in one piece were answered, in order."""
    marks = [marker() for _ in range(50)]
    last = marks[-1][1]
    keep = [request.replace(b"Connection: close\r\n", b"") for _, request in marks[:-1]]
    with open_() as connection:
        connection.sendall(b"".join([*keep, last]))
        found = list(replies(connection, service.scan))
    assert [reply.headers["X-Request-ID"] for reply in found] == [mark for mark, _ in marks]
    return len(found)


def test_a_pipeline_is_answered_in_order(service: LiveService, figure: Any) -> None:
    count = pipelined(service.open, service)
    figure(4, "raw requests straight to the service, each before a marker", f"{len(CASES)}, no 5xx")
    figure(4, "requests cut off; in a pipeline", f"{2 * len(CUT_OFF)}; {count} in order")


@pytest.mark.programs
def test_a_pipeline_is_answered_in_order_through_nginx(
    service: LiveService, before: Nginx, figure: Any
) -> None:
    pipelined(before.open, service)
    figure(4, "the same through nginx with nginx.conf", "no 5xx but its own 501, 505")


@pytest.mark.programs
def test_a_client_of_nginx_counts_by_its_own_address_whatever_it_forges(
    service: LiveService, before: Nginx
) -> None:
    name = f"forged-{uuid.uuid4().hex}"
    with before.open("127.0.0.5") as connection:
        chain = "203.0.113.9, 127.0.0.1"
        connection.sendall(
            head("GET /x HTTP/1.1", X_Request_ID=name, X_Forwarded_For=chain, Connection="close")
        )
        [reply] = replies(connection, service.scan)
    assert reply.headers["Strict-Transport-Security"]
    [line] = [line for line in service.log().splitlines() if name in line]
    assert json.loads(line)["address"] == "127.0.0.5"
