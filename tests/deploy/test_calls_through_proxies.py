"""Calls that are not as all others, through nginx.conf and Caddyfile: large ones, conditions, paths."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

import todo_api
from support.batches import create
from support.caddy import caddy
from support.live_service import LiveClient, LiveService, LiveUser, live_service
from support.nginx import HOST, Nginx, nginx

pytestmark = pytest.mark.programs

GUIDE = Path(todo_api.__file__).parent / "deploy" / "README.md"
MOST_OF_A_BATCH = 512 * 1024
PROXIES = ("nginx", "Caddy")
Change = tuple[str, str]


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[LiveService]:
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": f"127.0.0.1,{HOST}"}
    with live_service(database_url, tmp_path, **settings) as found:
        yield found


class _ThroughNginx(HTTPSConnection):
    def __init__(self, proxy: Nginx) -> None:
        super().__init__(HOST)
        self._proxy = proxy

    def connect(self) -> None:
        self.sock = self._proxy.open()


class _Client(LiveClient):
    """One connection with the proxy."""

    def __init__(self, connection: HTTPConnection, service: LiveService) -> None:
        self._connection = connection
        self._scan = service.scan


Start = Callable[..., LiveClient]


@pytest.fixture
def start(service: LiveService, tmp_path: Path) -> Iterator[Start]:
    """Runs nginx or Caddy before the service, with changes of its file; a client of it."""
    with ExitStack() as stack:

        def start(name: str, *changes: Change) -> LiveClient:
            connection: HTTPConnection
            if name == "nginx":
                proxy = stack.enter_context(nginx(service.port, tmp_path, *changes))
                connection = _ThroughNginx(proxy)
            else:
                port = stack.enter_context(caddy(service.port, tmp_path, *changes))
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
            return stack.enter_context(_Client(connection, service))

        yield start


@pytest.fixture(params=PROXIES)
def proxied(start: Start, request: pytest.FixtureRequest) -> LiveClient:
    """A client of the proxy, whose file is as it is."""
    return start(request.param)


@pytest.fixture
def ann(service: LiveService, proxied: LiveClient) -> LiveUser:
    return service.sign_up(proxied)


def of_bytes(count: int, title: str) -> bytes:
    """A batch of 100 creates in a body of so many bytes."""
    body = json.dumps({"operations": [create(title, notes="n" * 4_000)] * 100}).encode()
    return body + b" " * (count - len(body))


AS_JSON = {"Content-Type": "application/json"}


def test_a_batch_as_large_as_the_service_takes_goes_through(
    proxied: LiveClient, ann: LiveUser
) -> None:
    send = partial(proxied.ask, "POST", f"{ann.tasks}/batch", headers=AS_JSON, token=ann.token)
    answer = send(of_bytes(MOST_OF_A_BATCH, "Buy oat milk"))
    assert answer.status == 200
    assert [result["status"] for result in answer.json["data"]] == [201] * 100


def test_a_larger_one_is_refused_by_the_service_in_its_own_words(
    proxied: LiveClient, ann: LiveUser
) -> None:
    send = partial(proxied.ask, "POST", f"{ann.tasks}/batch", headers=AS_JSON, token=ann.token)
    answer = send(of_bytes(MOST_OF_A_BATCH + 1, "Buy oat milk"))
    assert (answer.status, answer.json["code"]) == (413, "payload-too-large")


def test_changes_larger_than_the_proxys_buffers_come_whole_and_compressed(
    proxied: LiveClient, ann: LiveUser
) -> None:
    send = partial(proxied.ask, "POST", f"{ann.tasks}/batch", headers=AS_JSON, token=ann.token)
    for number in range(3):
        assert send(of_bytes(MOST_OF_A_BATCH, f"Batch {number}")).status == 200
    changes = f"/api/{ann.id}/changes"
    ask = partial(proxied.ask, "GET", f"{changes}?limit=1000", token=ann.token)
    plain, packed = ask(), ask(headers={"Accept-Encoding": "gzip"})
    assert len(plain.body) > 1_200_000
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 10
    for body in (plain.body, gzip.decompress(packed.body)):
        found = json.loads(body)
        assert len(found["data"]["tasks"]) == 300
        assert (found["meta"]["revision"], found["meta"]["has_more"]) == (300, False)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_what_has_not_changed_is_304_by_the_tag_that_came_through(
    service: LiveService, proxied: LiveClient, ann: LiveUser, coding: str
) -> None:
    task = service.add(proxied, ann, "Buy oat milk " * 20)
    for path in (task, ann.tasks, f"/api/{ann.id}/changes", f"/api/{ann.id}/changes?since=0"):
        ask = partial(proxied.ask, "GET", path, token=ann.token)
        first = ask(headers={"Accept-Encoding": coding})
        assert first.headers.get("Content-Encoding", "identity") == coding
        tag = first.headers["ETag"]
        second = ask(headers={"Accept-Encoding": coding, "If-None-Match": tag})
        assert (second.status, second.body) == (304, b"")
        assert second.headers["ETag"].removeprefix("W/") == tag.removeprefix("W/")
    proxied.ask("PATCH", f"{task}/complete", token=ann.token)
    for path in (task, ann.tasks, f"/api/{ann.id}/changes"):
        headers = {"Accept-Encoding": coding, "If-None-Match": tag}
        assert proxied.ask("GET", path, headers=headers, token=ann.token).status == 200


def test_a_change_of_a_revision_goes_through_in_each_way(
    service: LiveService, proxied: LiveClient, ann: LiveUser
) -> None:
    task = service.add(proxied, ann)
    change = partial(proxied.ask, "PATCH", task, token=ann.token)
    merge = {"Content-Type": "application/merge-patch+json"}
    assert change({"title": "Buy rice", "if_revision": 1}, merge).json["data"]["revision"] == 2
    stale = change({"title": "Buy beans", "if_revision": 1})
    assert (stale.status, stale.json["code"]) == (409, "revision-conflict")
    assert stale.json["current"]["title"] == "Buy rice"
    assert proxied.ask("DELETE", f"{task}?if_revision=1", token=ann.token).status == 409
    assert proxied.ask("DELETE", f"{task}?if_revision=2", token=ann.token).status == 204


def test_a_client_names_no_path_and_no_host(
    service: LiveService, proxied: LiveClient, ann: LiveUser
) -> None:
    forged = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example.com"}
    answer = proxied.ask("POST", ann.tasks, {"title": "Buy rice"}, forged, token=ann.token)
    assert answer.status == 201
    assert answer.headers["Location"].startswith(ann.tasks)
    assert proxied.ask("GET", "/nothing", headers=forged).status == 404
    assert "evil" not in proxied.ask("GET", "/openapi.json", headers=forged).body.decode()
    assert "evil" not in service.log()


BELOW_A_PATH = {
    "nginx": (
        ("location / {", "location /todo/ {"),
        ("proxy_pass http://todo;", "proxy_pass http://todo/;"),
        ('proxy_set_header X-Forwarded-Prefix "";', "proxy_set_header X-Forwarded-Prefix /todo;"),
    ),
    "Caddy": (
        ("\treverse_proxy ", "\thandle_path /todo/* {\n\treverse_proxy "),
        ("for 75 s\n\t\t}\n\t}\n", "for 75 s\n\t\t}\n\t}\n\t}\n"),
        ("header_up -X-Forwarded-Prefix", "header_up X-Forwarded-Prefix /todo"),
    ),
}


def test_the_guide_says_what_changes_below_a_path() -> None:
    guide = GUIDE.read_text("utf-8")
    changed = [after for changes in BELOW_A_PATH.values() for _, after in changes]
    said = [line for text in changed for line in text.split("\n") if "todo" in line]
    assert len(said) == 5
    assert [line for line in said if f"`{line.strip()}`" not in guide] == []


@pytest.mark.parametrize("name", PROXIES)
def test_below_a_path_as_the_guide_says_all_references_lead_back(
    service: LiveService, start: Start, name: str
) -> None:
    proxied = start(name, *BELOW_A_PATH[name])
    docs = proxied.ask("GET", "/todo/docs")
    assert docs.status == 200
    for asset in re.findall(r'(?:src|href)="([^"#]+)"', docs.body.decode()):
        assert proxied.ask("GET", urljoin("/todo/docs", asset)).status == 200
    document = proxied.ask("GET", "/todo/openapi.json").json
    assert document["servers"][0]["url"] == "/todo"
    account = {"email": "ann@example.com", "password": "correct horse battery"}
    data = proxied.ask("POST", "/todo/api/auth/signup", account).json["data"]
    service.scan.secrets |= {account["password"], data["access_token"]}
    tasks, token = f"/todo/api/{data['user_id']}/tasks", data["access_token"]
    forged = {"X-Forwarded-Prefix": "/evil"}
    for title in ("Buy rice", "Buy beans"):
        answer = proxied.ask("POST", tasks, {"title": title}, forged, token=token)
        task = answer.headers["Location"]
        assert proxied.ask("GET", urljoin(tasks, task), token=token).json["data"]["title"] == title
    page = proxied.ask("GET", f"{tasks}?limit=1", token=token)
    following = re.findall("<([^>]+)>", page.headers["Link"])[0]
    assert titles(proxied.ask("GET", urljoin(tasks, following), token=token).json) == ["Buy rice"]
    refused: Any = proxied.ask("GET", f"{tasks}?limit=0", token=token).json
    assert proxied.ask("GET", urljoin(tasks, refused["type"]).partition("#")[0]).status == 200


def titles(answer: Any) -> list[str]:
    return [task["title"] for task in answer["data"]]
