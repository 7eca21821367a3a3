"""Requests that hash passwords wait in a line of their own, behind all others."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from support.small_service import StartSmall, answers
from support.waiting import until
from todo_api.server.dispatcher import HASHING, Dispatcher
from todo_api.web.request import HASHING_WAITS

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

THREADS = 4
PLACES = 3  # of the threads, for requests that hash


def test_what_hashes_are_routes_of_the_application(app: Flask) -> None:
    assert {rule.rule for rule in app.url_map.iter_rules()} >= HASHING


def test_others_are_taken_first() -> None:
    def channel(path: str, error: Any = None) -> Any:
        request = SimpleNamespace(path=path, error=error)
        return SimpleNamespace(requests=[request], service=lambda: served.append(path))

    served: list[str] = []
    dispatcher = Dispatcher(0)
    for path in ("/api/auth/login", "/a", "/api/auth/signup", "/b"):
        dispatcher.add_task(channel(path))
    dispatcher.add_task(channel("/api/auth/login", error="refused by the parser"))
    assert dispatcher.hashing_waits == 2
    while dispatcher.queue:
        dispatcher.queue.popleft().service()
    assert served == ["/a", "/b", "/api/auth/login", "/api/auth/login", "/api/auth/signup"]


def test_logins_leave_a_thread_to_others(start: StartSmall, tmp_path: Path) -> None:
    service, gate = start(threads=THREADS), tmp_path / "gate"

    def began() -> int:
        return len(list(tmp_path.glob("began-*")))

    with contextlib.ExitStack() as stack:
        logins = [
            stack.enter_context(
                service.open(
                    f"GET /api/auth/login?gate={gate}&began={tmp_path}/began-{number} HTTP/1.1\r\n"
                    "Host: x\r\n\r\n".encode()
                )
            )
            for number in range(10)
        ]
        until(lambda: began() == PLACES)
        for _ in range(20):
            assert service.get() == b"hello"
        assert began() == PLACES
        gate.touch()
        waits = []
        for client in logins:
            [(_, body)] = answers(client.recv(65536))
            waits.append(json.loads(body)[HASHING_WAITS])
    # the first one that came from the line of seven, and the last one
    assert max(waits) >= 7 - PLACES
    assert min(waits) == 0
