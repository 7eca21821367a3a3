"""What must stay inside does: a whole life of the service, with its faults, at the most talkative log level.

Every other test of this folder goes through the same scan, by the fixture `service`.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from resilience.input.raw_requests import CASES, SMUGGLED
from support.leaks import Scan
from support.live_service import LiveClient, LiveService, LiveUser, live_service
from support.waiting import until
from support.wire import replies

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl"

API_TOKEN = "todo_r0NDVfNLYBnvM9JZcfzyx7hq0V3cYwU8rQm5T2kXa6LzPd9EbGn1J4SfW"


@pytest.fixture(scope="module")
def running(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    """A service whose database URL has a password."""
    password = f"database-{uuid.uuid4().hex}"
    url = make_conninfo(module_database_url, password=password)
    folder = tmp_path_factory.mktemp("service")
    with live_service(url, folder, LOG_LEVEL="DEBUG", AUTH_RATE_LIMIT="40 per hour") as service:
        service.scan.secrets.add(password)
        yield service


def everyday(service: LiveService, client: LiveClient) -> LiveUser:
    """What users do, right and wrong."""
    ann, bob = service.sign_up(client), service.sign_up(client)
    task = service.add(client, ann)
    for method, path, body, token, status in (
        ("POST", "/api/auth/login", {"email": ann.email, "password": ann.password}, None, 200),
        ("POST", "/api/auth/login", {"email": ann.email, "password": bob.password}, None, 401),
        ("POST", "/api/auth/login", {"email": "no@example.com", "password": bob.password}, None, 401),
        ("POST", "/api/auth/login", {"email": ann.email, "password": [ann.password]}, None, 422),
        ("POST", "/api/auth/login", {"email": ann.password, "password": "short"}, None, 422),
        ("POST", "/api/auth/login", ann.password.encode(), None, 400),
        ("POST", "/api/auth/signup", {"email": ann.email, "password": ann.password}, None, 409),
        ("POST", "/api/auth/signup", {"email": ann.email, ann.password[:0] + "x": ann.token}, None, 422),
        ("GET", ann.tasks, None, ann.token, 200),
        ("GET", f"{ann.tasks}?token={ann.token}&password={ann.password}", None, ann.token, 422),
        ("GET", ann.tasks, None, bob.token, 403),
        ("GET", ann.tasks, None, None, 401),
        ("GET", ann.tasks, None, f"{ann.token}x", 401),
        ("GET", ann.tasks, None, TOKEN, 401),
        ("PUT", task, {"title": "'; DROP TABLE tasks; --"}, ann.token, 200),
        ("PUT", task, {"title": 1, "is_completed": ann.token}, ann.token, 422),
        ("PUT", task, {"title": "\0"}, ann.token, 422),
        ("PATCH", f"{task}/complete", None, ann.token, 200),
        ("DELETE", task, None, ann.token, 204),
        ("DELETE", task, None, ann.token, 404),
        ("GET", f"{ann.tasks}/%00' OR 1=1", None, ann.token, 404),
        ("GET", "/no/such/path", None, ann.token, 404),
        ("PATCH", "/api/auth/login", None, ann.token, 405),
        ("GET", "/openapi.json", None, None, 200),
        ("GET", "/problems", None, None, 200),
        ("GET", "/docs", None, None, 200),
        ("GET", "/health/ready", None, None, 200),
        ("POST", "/api/auth/logout", None, bob.token, 204),
        ("GET", bob.tasks, None, bob.token, 401),
    ):  # fmt: skip
        path = path.replace(" ", "%20")
        assert client.ask(method, path, body, token=token).status == status, (method, path)
    return ann


def private(service: LiveService, client: LiveClient, ann: LiveUser) -> None:
    """What users write about their tasks, in right calls and wrong ones: it is theirs."""
    title, notes, tag = words = [f"words-{uuid.uuid4().hex}" for _ in range(3)]
    service.scan.private |= set(words)
    fields = {"title": title, "notes": notes, "tags": [tag]}
    operations = [{"op": "create", **fields}, {"op": "complete", "id": str(uuid.uuid4())}]
    task = service.add(client, ann)
    for method, path, body, status in (
        ("POST", ann.tasks, fields, 201),
        ("POST", ann.tasks, fields | {"priority": notes}, 422),
        ("POST", ann.tasks, fields | {"due_date": notes, "id": tag}, 422),
        ("POST", ann.tasks, f'{{"title": "{title}", "notes": '.encode(), 400),
        ("PUT", task, fields, 200),
        ("PATCH", task, fields | {"if_revision": 0}, 409),
        ("POST", f"{ann.tasks}/batch", {"operations": operations}, 200),
        ("POST", f"{ann.tasks}/batch", {"operations": [operations[0] | {"op": tag}]}, 422),
        ("GET", f"{ann.tasks}?q={notes}&tag={tag}", None, 200),
        ("GET", f"{ann.tasks}?sort={notes}&cursor={tag}&limit={title}", None, 422),
        ("GET", f"/api/{ann.id}/changes", None, 200),
        ("GET", f"/api/{ann.id}/changes?since={notes}", None, 422),
        ("GET", f"/api/{ann.id}/export", None, 200),
    ):
        assert client.ask(method, path, body, token=ann.token).status == status, (method, path)


def raw(service: LiveService) -> None:
    """What is not HTTP."""
    for case in CASES:
        with service.open() as connection:
            connection.sendall(case.data.replace(SMUGGLED, b"") + b"\r\n\r\n\r\n")
            connection.shutdown(1)
            list(replies(connection, service.scan))


def faults(service: LiveService, client: LiveClient, ann: LiveUser) -> None:
    """What goes wrong behind the service."""
    calls = (("GET", ann.tasks, None), ("POST", ann.tasks, {"title": "x"}))

    def statuses() -> set[int]:
        found = {client.ask(*call, token=ann.token).status for call in calls}
        return found | {client.ask("GET", "/health/ready").status}

    with psycopg.connect(service.database_url, autocommit=True) as admin:
        database = admin.info.dbname
        admin.execute("ALTER TABLE tasks RENAME TO tasks_gone")
        assert 503 in statuses()
        admin.execute("ALTER TABLE tasks_gone RENAME TO tasks")
        with admin.transaction():
            admin.execute("LOCK TABLE tasks")
            assert client.ask(*calls[1], token=ann.token).status == 503
    name = sql.Identifier(database)
    with psycopg.connect(service.database_url, dbname="postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database],
        )
        assert statuses() == {503}
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        until(lambda: statuses() == {200, 201})


def test_nothing_leaks_in_a_whole_life(
    service: LiveService, client: LiveClient, figure: Any
) -> None:
    ann = everyday(service, client)
    private(service, client, ann)
    raw(service)
    faults(service, client, ann)
    refused = {"email": ann.email, "password": ann.password}
    until(lambda: client.ask("POST", "/api/auth/login", refused).status == 429)
    assert service.leaks() == []
    assert len(service.log().splitlines()) > 150
    figure(
        11,
        "answers and log lines of a whole life looked through: leaks",
        f"{service.scan.texts}: 0",
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"detail": "Traceback (most recent call last)"}', "{}"),
        (b'{"detail": "/* tasks/list */ x"}', "{}"),
        (b'{"detail": "SELECT id\\nFROM tasks"}', "{}"),
        (b'{"data": {"hash": "$2b$12$abc"}}', "{}"),
        (b'{"detail": "hunter2-hunter2"}', "{}"),
        (f'{{"detail": "Bearer {TOKEN}"}}'.encode(), "{}"),
        (f'{{"detail": "Bearer {API_TOKEN}"}}'.encode(), "{}"),
        (b"{}", f'{{"header": "{API_TOKEN}"}}'),
        (b"{}", '{"message": "hunter2-hunter2"}'),
        (b"{}", f'{{"header": "{TOKEN}"}}'),
        (b"{}", "Traceback (most recent call last):"),
        (b"{}", '{"message": "INSERT INTO users"}'),
        (b"{}", "not JSON"),
    ],
)
def test_the_scan_finds_what_it_looks_for(body: bytes, line: str) -> None:
    scan = Scan("hunter2-hunter2")
    scan.answer("", body)
    scan.log_line(line)
    assert scan.found


def test_the_scan_leaves_a_client_its_own_words() -> None:
    scan = Scan("hunter2-hunter2")
    scan.answer(
        "", f'{{"data": {{"title": "SELECT 1 FROM x", "access_token": "{TOKEN}"}}}}'.encode()
    )
    scan.log_line('{"message": "request"}')
    assert scan.found == []
