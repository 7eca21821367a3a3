"""The longest cursor with the longest filters: an address that the server takes, and a Link that it sends."""

import http.client
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from support.live_service import LiveService, LiveUser, live_service
from support.nginx import HOST, nginx

WIDEST = "\U0001f95b"  # four bytes, twelve characters in an address
Ask = Callable[[str], tuple[int, str, Any]]


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[LiveService]:
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": f"127.0.0.1,{HOST}"}
    with live_service(database_url, tmp_path, **settings) as found:
        yield found


@pytest.fixture
def ann(service: LiveService) -> LiveUser:
    """With three tasks that differ in the last character of the longest titles."""
    with service.client() as client:
        user = service.sign_up(client)
        for last in "abc":
            body = {"title": WIDEST * 499 + last, "tags": [WIDEST * 50], "priority": 3}
            body |= {"due_date": "2026-12-24"}
            assert client.ask("POST", user.tasks, body, token=user.token).status == 201
    return user


def walk(user: LiveUser, ask: Ask) -> str:
    """The last characters of the titles, a page for each."""
    path = (
        f"{user.tasks}?is_completed=false&q={quote(WIDEST * 100)}&tag={quote(WIDEST * 50)}"
        "&min_priority=3&due_from=2026-12-24&due_to=2026-12-24&sort=title&limit=1"
    )
    found = ""
    while path:
        status, link, answer = ask(path)
        assert status == 200, answer
        found += answer["data"][0]["title"][-1]
        path = link.removeprefix("<").partition(">")[0]
    return found


def asked(connection: http.client.HTTPConnection, token: str, path: str) -> tuple[int, str, Any]:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body[:500]
    return answer.status, answer.headers.get("Link", ""), json.loads(body)


@pytest.mark.slow
def test_a_walk_by_the_longest_titles_with_the_longest_filters_comes_to_its_end(
    service: LiveService, ann: LiveUser
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    assert walk(ann, partial(asked, connection, ann.token)) == "abc"
    connection.close()


@pytest.mark.programs
def test_it_does_so_through_nginx_too(service: LiveService, ann: LiveUser, tmp_path: Path) -> None:
    """Which takes 4 KiB for the head of an answer, unless it is told otherwise."""
    with nginx(service.port, tmp_path) as proxy, proxy.open() as bare:
        connection = http.client.HTTPConnection(HOST)
        connection.sock = bare
        assert walk(ann, partial(asked, connection, ann.token)) == "abc"
