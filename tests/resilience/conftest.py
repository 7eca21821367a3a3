"""A running service for each file, looked through for leaks after each test."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.live_service import LiveClient, LiveService, Reply, StartLive, live_service

AT_ONCE = 50
Call = Callable[[LiveClient, int], Reply]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def module_database_url(
    postgres: str, template: str, admin: psycopg.Connection[Any]
) -> Iterator[str]:
    """A migrated database for all tests of a file."""
    name = f"resilience_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield make_conninfo(postgres, dbname=name)
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """What a file's service has otherwise than the rest; for a file to replace."""
    return {}


@pytest.fixture(scope="module")
def running(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]
) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("service")
    unlimited = {
        "AUTH_RATE_LIMIT": "1000000 per minute",
        "ACCOUNT_GUESS_LIMIT": "1000000 per hour",
    }
    with live_service(module_database_url, folder, **(unlimited | settings)) as service:
        yield service


@pytest.fixture
def service(running: LiveService) -> Iterator[LiveService]:
    """The file's service. Whatever the test is about, nothing may leak in it."""
    yield running
    assert running.leaks() == []


@pytest.fixture
def client(service: LiveService) -> Iterator[LiveClient]:
    with service.client() as client:
        yield client


@pytest.fixture
def start(module_database_url: str, tmp_path: Path) -> Iterator[StartLive]:
    """Starts a service with these settings, a later one on the same port; nothing may leak in any."""
    started: list[LiveService] = []
    with ExitStack() as stack:

        def start(database_url: str = module_database_url, **settings: str) -> LiveService:
            folder = tmp_path / str(len(started))
            folder.mkdir()
            chosen = {
                "PORT": str(started[0].port) if started else "0",
                "AUTH_RATE_LIMIT": "1000000 per minute",
                "ACCOUNT_GUESS_LIMIT": "1000000 per hour",
                **settings,
            }
            started.append(stack.enter_context(live_service(database_url, folder, **chosen)))
            return started[-1]

        yield start
        for service in started:
            assert service.leaks() == []


@pytest.fixture
def at_once(service: LiveService) -> Iterator[Callable[[Call], list[Reply]]]:
    """Makes a call on fifty connections at once."""
    with ExitStack() as stack:
        clients = [stack.enter_context(service.client()) for _ in range(AT_ONCE)]

        def at_once(call: Call) -> list[Reply]:
            found: list[Reply] = []
            barrier = threading.Barrier(AT_ONCE)

            def one(number: int) -> None:
                barrier.wait()
                found.append(call(clients[number], number))

            threads = [threading.Thread(target=one, args=[number]) for number in range(AT_ONCE)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return found

        yield at_once
