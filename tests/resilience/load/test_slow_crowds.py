"""Hundreds of clients that send slowly, or never read: others wait no longer for them."""

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from bench.service import MeasuredUser, add_tasks
from resilience.load.crowd import LONG, ROUNDS, SECONDS, Work, failed, p95, raw_request
from support.live_service import LiveClient, LiveService, LiveUser

CROWD = 200
CONNECTED_WITHIN_S = 5 if LONG else 2
MOST = 2.0


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"WORKERS": "2"}


class Crowd:
    """Slow clients; whoever is cut off comes back at once."""

    def __init__(self, port: int, sent: bytes, drip: bytes) -> None:
        self._port, self._sent, self._drip = port, sent, drip
        self.there = 0

    async def one(self, number: int) -> None:
        await asyncio.sleep(CONNECTED_WITHIN_S * number / CROWD)
        while True:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, ("127.0.0.1", self._port))
                await loop.sock_sendall(client, self._sent)
                self.there += 1
                await self._hold(client)
                self.there -= 1

    async def _hold(self, client: socket.socket) -> None:
        """A byte a second, or nothing, until the service has had enough."""
        ended = select.poll()
        ended.register(client, select.POLLRDHUP)
        while not ended.poll(0):
            await asyncio.sleep(1)
            with contextlib.suppress(OSError):
                client.send(self._drip)


@asynccontextmanager
async def crowd(port: int, sent: bytes, drip: bytes) -> AsyncIterator[Crowd]:
    """All of them, until the block ends."""
    found = Crowd(port, sent, drip)
    clients = [asyncio.create_task(found.one(number)) for number in range(CROWD)]
    try:
        while found.there < CROWD:
            await asyncio.sleep(0.1)
            assert not any(client.done() for client in clients)
        yield found
    finally:
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)


@pytest.fixture
def ann(service: LiveService, client: LiveClient) -> LiveUser:
    """With 1 000 tasks, 300 KB."""
    user = service.sign_up(client)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        add_tasks(connection, MeasuredUser(user.id, user.token), 1000)
        connection.execute("VACUUM (ANALYZE)")
    return user


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["send a byte a second", "never read"])
def test_others_do_not_wait_for_slow_clients(
    service: LiveService, client: LiveClient, ann: LiveUser, what: str, figure: Any
) -> None:
    bob = service.sign_up(client)
    if what == "never read":
        sent, drip = raw_request("GET", ann.tasks, token=ann.token), b""
    else:
        body = raw_request("POST", ann.tasks, {"title": "x" * 200}, ann.token)
        sent, drip = body[: body.index(b"\r\n\r\n") + 4], b"x"

    async def measure() -> tuple[float, float]:
        async with Work(service.port, [bob], 10, 0.1).going_on() as work:
            before = await work.last(SECONDS / 2)
            async with crowd(service.port, sent, drip) as slow:
                meanwhile = await work.last(SECONDS)
                assert slow.there > CROWD / 2
            after = await work.last(SECONDS / 2)
        assert not failed(work.answers)
        usual = work.due_in(before) + work.due_in(after)
        return p95(usual), p95(work.due_in(meanwhile))

    for _ in range(ROUNDS):
        usual, meanwhile = asyncio.run(measure())
        if meanwhile <= MOST * usual:
            break
    assert meanwhile <= MOST * usual
    figure(
        10,
        f"{CROWD} clients that {what}, {SECONDS} s: p95 of others' 100 task requests/s; without them",
        f"{meanwhile * 1000:.1f} ms; {usual * 1000:.1f} ms",
    )
