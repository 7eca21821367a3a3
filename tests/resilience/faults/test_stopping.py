"""The service is told to stop under traffic: whoever was let in is answered, and it is gone in time.

FAULT_ROUNDS=20 stops it more often than the usual 3 times.
"""

import http.client
import os
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from resilience.faults.writers import Writers
from support.live_service import LiveClient, LiveService, LiveUser, StartLive
from support.processes import children
from support.waiting import at_most, until
from support.wire import head
from todo_api.server.waitress_server import IDLE_SECONDS

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
CLIENTS = 50
GONE_S = at_most(10)

pytestmark = pytest.mark.timeout(300 + 30 * ROUNDS)


@pytest.fixture
def titles(module_database_url: str) -> Callable[[LiveUser], set[str]]:
    """Tells what a user's tasks are, behind the service's back."""

    def titles(user: LiveUser) -> set[str]:
        with psycopg.connect(module_database_url) as connection:
            query = "SELECT title FROM tasks WHERE user_id = %s"
            return {title for (title,) in connection.execute(query, [user.id])}

    return titles


def stop(service: LiveService, number: signal.Signals = signal.SIGTERM) -> float:
    """Have the service end; how many seconds it took."""
    began = time.monotonic()
    service.process.send_signal(number)
    assert service.process.wait(GONE_S) == 0
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGTERM, "1"), (signal.SIGTERM, "2"), (signal.SIGINT, "2")],
    ids=["SIGTERM, one worker", "SIGTERM, two workers", "SIGINT, two workers"],
)
def test_no_accepted_request_is_dropped(
    start: StartLive, number: signal.Signals, workers: str, figure: Any
) -> None:
    service = start(WORKERS=workers)
    took_s = []
    with Writers(service, CLIENTS) as writers:
        for _ in range(ROUNDS):
            began = time.monotonic()
            until(lambda began=began: writers.all_wrote_since(began))
            took_s.append(stop(service, number))
            service = start(WORKERS=workers)  # in its place, and its clients go on
        began = time.monotonic()
        until(lambda: writers.all_wrote_since(began))
    assert writers.dropped == 0
    assert writers.contradictions() == []
    assert writers.statuses.keys() == {200, 201, 204}
    figure(
        15,
        f"{number.name} {ROUNDS} times under {CLIENTS} keep-alive clients, WORKERS={workers}:"
        " requests; dropped; gone with status 0 within",
        f"{writers.statuses.total()}; 0; {max(took_s):.1f} s",
    )


def test_signals_that_come_again_change_nothing(start: StartLive) -> None:
    service = start(WORKERS="2")
    workers = children(service.process.pid)
    assert len(workers) == 2
    with Writers(service, CLIENTS) as writers:
        began = time.monotonic()
        until(lambda: writers.all_wrote_since(began))

        def gone() -> bool:
            service.process.send_signal(signal.SIGTERM)
            with suppress(ProcessLookupError):
                for pid in workers:
                    os.kill(pid, signal.SIGTERM)
            return service.process.poll() is not None

        until(gone, within_s=GONE_S)
    assert service.process.returncode == 0
    assert writers.dropped == 0
    assert writers.contradictions() == []


def test_slow_clients_do_not_hold_up_the_end(start: StartLive, figure: Any) -> None:
    service = start(WORKERS="2")
    over = threading.Event()
    with ExitStack() as stack:
        ann_client = stack.enter_context(service.client())
        ann = service.sign_up(ann_client)
        for number in range(400):  # a list of 300 KB
            service.add(ann_client, ann, f"{number} {'x' * 490}")
        token = f"Bearer {ann.token}"
        asking = head(f"GET {ann.tasks} HTTP/1.1", Authorization=token)
        for _ in range(10):  # read nothing
            reader = stack.enter_context(service.open(receive_buffer=4096))
            reader.sendall(asking * 20)  # more than the kernel takes for it
        for _ in range(10):  # half a request, and a byte of the rest now and then
            sender = stack.enter_context(service.open())
            sender.sendall(
                head(f"POST {ann.tasks} HTTP/1.1", Authorization=token, Content_Length="9999")
            )
            stack.callback(send_slowly(sender, over).join)
        stack.callback(over.set)
        writers = stack.enter_context(Writers(service, 10))
        began = time.monotonic()
        until(lambda: writers.all_wrote_since(began))
        took_s = stop(service)
    assert writers.dropped == 0
    assert writers.contradictions() == []
    cut_off = re.findall(r"cut off (\d+) connections", service.log())
    assert sum(map(int, cut_off)) == 20
    figure(
        15,
        "SIGTERM beside 10 clients that read nothing and 10 that send a byte now and then: gone after",
        f"{took_s:.1f} s",
    )


def send_slowly(sender: socket.socket, over: threading.Event) -> threading.Thread:
    def send() -> None:
        with suppress(OSError):
            while not over.wait(0.2):
                sender.sendall(b"x")

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_a_request_that_meets_the_end_of_an_idle_connection_is_answered_or_not_executed(
    start: StartLive, titles: Callable[[LiveUser], set[str]], figure: Any
) -> None:
    service = start(WORKERS="2")
    answered, given_up, lock = set[str](), 0, threading.Lock()
    with ExitStack() as stack:
        clients = [stack.enter_context(service.client()) for _ in range(CLIENTS)]
        ann = service.sign_up(clients[0])
        for client in clients:
            assert client.ask("GET", "/health/live").status == 200
        service.process.send_signal(signal.SIGTERM)
        stopped = time.monotonic()

        def ask(client: LiveClient, moment: float) -> None:
            nonlocal given_up
            title = uuid.uuid4().hex
            threading.Event().wait(moment - time.monotonic())
            try:
                reply = client.ask("POST", ann.tasks, {"title": title}, token=ann.token)
            except (OSError, http.client.HTTPException):
                with lock:
                    given_up += 1
            else:
                assert reply.status == 201
                assert reply.headers["Connection"] == "close"
                answered.add(title)

        # about when the service gives idle connections up
        moments = [
            stopped + IDLE_SECONDS * (0.8 + 0.4 * number / CLIENTS) for number in range(CLIENTS)
        ]
        threads = [
            threading.Thread(target=ask, args=each) for each in zip(clients, moments, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert service.process.wait(GONE_S) == 0
    assert len(answered) + given_up == CLIENTS
    assert titles(ann) == answered
    figure(
        15,
        f"{CLIENTS} creates about when idle connections are ended: answered; not answered; of these executed",
        f"{len(answered)}; {given_up}; 0",
    )
