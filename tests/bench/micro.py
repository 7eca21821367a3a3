"""The parts of a request, measured alone with pytest-benchmark. Not part of the suite; run it with

    .venv/bin/pytest -n 0 tests/bench/micro.py

with --benchmark-autosave before a change and --benchmark-compare after it. CI runs each once.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from flask import Flask, Response
from pytest_benchmark.fixture import BenchmarkFixture

from todo_api.auth import tokens
from todo_api.auth.token_cache import TokenCache
from todo_api.database.calls import Call, SignedIn
from todo_api.database.data import Database
from todo_api.lists.answers import task_list
from todo_api.lists.contents import add_tasks
from todo_api.observability import logs
from todo_api.tasks.answers import one_task
from todo_api.tasks.schemas import Task
from todo_api.web.unsent import Content

from .client import WsgiClient, send

MANY = 1000


class Signed(NamedTuple):
    """Ann, her token and her 1 000 tasks."""

    who: SignedIn
    header: dict[str, str]
    tasks: list[Task]


@pytest.fixture(autouse=True)
def logs_as_in_production(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """JSON lines to a standard error that nobody reads, and none of pytest's own handlers."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()  # setup() would close them
    with Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "stderr", nowhere)
        logs.setup("INFO", "json")
        yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def watched() -> None:
    """Nothing listens to what is timed."""


@pytest.fixture
def signed(app: Flask, superuser: psycopg.Connection[Any]) -> Signed:
    database: Database = app.extensions["database"]
    client = WsgiClient(app)
    superuser.execute(
        "INSERT INTO tasks (user_id, title) SELECT user_id, 'Buy groceries ' || number"
        " FROM users CROSS JOIN generate_series(1, %s) AS number",
        (MANY - len(client.tasks),),
    )
    header = {"Authorization": client.make("get")["HTTP_AUTHORIZATION"]}
    with app.test_request_context(headers=header):
        who = tokens.verify()
    [tasks] = database.as_user(who, Call("tasks/list", row=Task))
    assert len(tasks) == MANY
    return Signed(who, header, tasks)


def test_the_first_verification_of_a_token(
    benchmark: BenchmarkFixture, app: Flask, signed: Signed
) -> None:
    def forget() -> None:
        app.extensions["token_cache"] = TokenCache()

    with app.test_request_context(headers=signed.header):
        who = benchmark.pedantic(tokens.verify, setup=forget, rounds=2000, warmup_rounds=100)  # type: ignore[no-untyped-call]
    assert who == signed.who


def test_a_remembered_token(benchmark: BenchmarkFixture, app: Flask, signed: Signed) -> None:
    with app.test_request_context(headers=signed.header):
        assert benchmark(tokens.verify) == signed.who


def test_a_task_to_json(benchmark: BenchmarkFixture, app: Flask, signed: Signed) -> None:
    with app.test_request_context():
        assert benchmark(one_task, signed.tasks[0]).status_code == 200


def test_1000_tasks_to_json(benchmark: BenchmarkFixture, app: Flask, signed: Signed) -> None:
    with app.test_request_context():

        def make() -> Response:
            content = Content(app.extensions["unsent"], signed.who.user_id)
            add_tasks(content, signed.tasks)
            return task_list(content, {}, 1)

        assert benchmark(make).status_code == 200


def test_a_transaction_that_gets_a_task(
    benchmark: BenchmarkFixture, service_url: str, signed: Signed
) -> None:
    call = Call("tasks/get", {"task_id": signed.tasks[0].id}, Task)
    with closing(Database(service_url, connections=1)) as database:
        assert benchmark(database.as_user, signed.who, call) == [signed.tasks[:1]]


def test_a_transaction_that_lists_1000_tasks(
    benchmark: BenchmarkFixture, service_url: str, signed: Signed
) -> None:
    with closing(Database(service_url, connections=1)) as database:
        found = benchmark(database.as_user, signed.who, Call("tasks/list", row=Task))
    assert found == [signed.tasks]


def test_a_log_line(benchmark: BenchmarkFixture) -> None:
    benchmark(
        logs.log_request,
        method="GET",
        route="/api/<user_id>/tasks/<task_id>",
        status=200,
        ms=1.23,
        request_id="4f7c1c1e-0a53-4b93-8a94-8a4f2f0f9d11",
        user_id="a4bade81-d9c2-4918-ad97-3b410e99f30e",
        address="127.0.0.1",
    )


def test_a_whole_get_through_wsgi(
    benchmark: BenchmarkFixture, make_app: Callable[..., Any]
) -> None:
    app = make_app()
    request = WsgiClient(app, "bob@example.com").make("get")
    status, _ = benchmark(lambda: send(app, request.copy()))
    assert status == "200 OK"
