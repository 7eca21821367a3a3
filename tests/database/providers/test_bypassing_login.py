"""A login as Neon gives it: it owns the database, makes roles and bypasses row security, no superuser."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.live_service import live_service
from support.postgres.pgbouncer import pgbouncer
from support.postgres.server import a_server

pytestmark = pytest.mark.slow
ALL_TASKS = "SELECT DISTINCT user_id::text FROM tasks"


@pytest.fixture(scope="module")
def login_url() -> Iterator[str]:
    """Its database, on a server where nobody has made the service's roles yet."""
    with a_server() as server:
        server.make()
        server.start()
        server.ask("CREATE ROLE provider_owner LOGIN NOSUPERUSER CREATEDB CREATEROLE BYPASSRLS")
        server.ask("CREATE DATABASE provider OWNER provider_owner")
        yield make_conninfo(server.url, user="provider_owner", dbname="provider")


def sign_up(client: httpx.Client, email: str) -> tuple[str, dict[str, str]]:
    """A new user: the path of their tasks, and the header of their token."""
    body = {"email": email, "password": "correct horse battery"}
    answer = client.post("/api/auth/signup", json=body)
    assert answer.status_code == 201, answer.text
    account = answer.json()["data"]
    token = {"Authorization": f"Bearer {account['access_token']}"}
    return f"/api/{account['user_id']}/tasks", token


def titles(client: httpx.Client, path: str, token: dict[str, str]) -> list[str]:
    answer = client.get(path, headers=token)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["data"]]


@pytest.mark.parametrize("way", ["direct", pytest.param("pooled", marks=pytest.mark.programs)])
def test_the_whole_service_keeps_two_users_apart_on_it(
    login_url: str, tmp_path: Path, way: str
) -> None:
    with ExitStack() as stack:
        url, settings = login_url, {}
        if way == "pooled":
            bouncer = stack.enter_context(pgbouncer(login_url))
            url = bouncer.url(login_url)
            settings = {
                "MIGRATE_URL": login_url,
                "PREPARED_STATEMENTS": str(bouncer.prepares).lower(),
            }
        service = stack.enter_context(live_service(url, tmp_path, **settings))
        client = stack.enter_context(httpx.Client(base_url=service.url, timeout=20))
        ann, ann_token = sign_up(client, f"ann.{way}@example.com")
        bob, bob_token = sign_up(client, f"bob.{way}@example.com")
        for path, token in ((ann, ann_token), (bob, bob_token), (ann, ann_token)):
            added = client.post(path, json={"title": path}, headers=token)
            assert added.status_code == 201, added.text
        task = added.json()["data"]["id"]
        assert titles(client, ann, ann_token) == [ann, ann]
        assert titles(client, bob, bob_token) == [bob]
        assert client.get(f"{ann}/{task}", headers=bob_token).status_code == 403
        for method in ("GET", "PUT", "DELETE"):
            foreign = client.request(method, f"{bob}/{task}", json={}, headers=bob_token)
            assert foreign.status_code == 404, foreign.text
        ended = client.post("/api/auth/logout", headers=bob_token)
        assert ended.status_code == 204
        assert client.get(bob, headers=bob_token).status_code == 401


def test_it_sees_every_row_until_a_request_opens(login_url: str, tmp_path: Path) -> None:
    with (
        live_service(login_url, tmp_path) as service,
        httpx.Client(base_url=service.url, timeout=20) as client,
    ):
        for name in ("cat", "dan"):
            path, token = sign_up(client, f"{name}@example.com")
            assert client.post(path, json={"title": name}, headers=token).status_code == 201
    users = [user for (user,) in ask(login_url, ALL_TASKS)]
    assert len(users) >= 2  # it really does bypass row security
    for user in users:
        assert ask(login_url, ALL_TASKS, as_user=user) == [(user,)]


def ask(url: str, sql: str, as_user: str | None = None) -> list[tuple[Any, ...]]:
    """Rows as the login sees them, or as the service does that uses the login for a user."""
    with closing(psycopg.connect(url)) as connection:
        if as_user:
            connection.execute("SELECT begin_request(%s)", (as_user,))
        return connection.execute(sql.encode()).fetchall()
