"""Generated requests, sensible and not, find no answer that the OpenAPI document does not describe.

The same requests each time. SCHEMATHESIS_EXAMPLES=1000 looks longer than the usual 20 a call:
SCHEMATHESIS_EXAMPLES=1000 pytest -n 0 tests/docs/test_schemathesis.py
"""

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import schemathesis
from flask import Flask
from hypothesis import settings
from hypothesis.errors import FlakyStrategyDefinition
from psycopg.conninfo import make_conninfo
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation

from support.accounts import Account
from support.credentials import PASSWORD, SECRET
from support.openapi_document import Document, current_document
from support.watched import watching
from todo_api.accounts.api_token_schemas import NAME_MAX
from todo_api.accounts.event_pages import Position, cursor
from todo_api.app import create_app
from todo_api.auth.new_passwords import is_common
from todo_api.auth.schemas import EMAIL_MAX
from todo_api.settings.config import Config
from todo_api.tasks.fields import TAG_MAX
from todo_api.web.text import INVISIBLE_CHARACTER, VISIBLE

pytestmark = [pytest.mark.contract, pytest.mark.slow, pytest.mark.timeout(3600)]

DOCUMENT = Document(current_document())
OPERATIONS = DOCUMENT.operations
USE_UP = ("renew", "logout", "changePassword", "changeEmail", "deleteAccount")
SCHEMAS = DOCUMENT.content["components"]["schemas"]
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "20"))
_GENERATION = GenerationConfig(
    max_examples=EXAMPLES,
    deterministic=True,
    with_security_parameters=False,  # _authorize sends the token
)
_EVERY_CHECK = ChecksConfig.from_dict({"enabled": True})
_CONFIG = SchemathesisConfig(
    projects=ProjectsConfig(default=ProjectConfig(generation=_GENERATION, checks=_EVERY_CHECK)),
    seed=1,
)


class Called:
    """The application that schemathesis calls and its user, who are there only once the fixtures are."""

    app: Flask
    ann: Account
    calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.calls += 1
        environ.setdefault("REMOTE_ADDR", "127.0.0.1")  # as a server does
        return self.app(environ, start_response)


service = Called()
schema = schemathesis.openapi.from_dict(DOCUMENT.content, config=_CONFIG)
schema.app = service


@pytest.fixture(scope="module", autouse=True)
def running(
    shared_database_url: str,
    shared_superuser: psycopg.Connection[Any],
    figure_of_file: Callable[[int, str, str], None],
) -> Iterator[None]:
    config = Config(
        # Thousands of commits: on a busy disk they would wait for it, up to 503.
        database_url=make_conninfo(shared_database_url, options="-c synchronous_commit=off"),
        jwt_secret=SECRET,
        bcrypt_rounds=4,
        auth_rate_limit="1000000 per minute",
    )
    service.app = create_app(config)
    with watching(SECRET) as scan:
        # The document's example: logging in with that works.
        service.ann = Account(service.app.test_client(), "ann@example.com", PASSWORD)
        yield
    assert scan.found == []
    service.app.extensions["database"].close()
    service.app.extensions["hasher"].close()
    for table in ("auth_events", "users", "rate_limits"):
        shared_superuser.execute(f"DELETE FROM {table}")
    what = (
        f"generated requests, {EXAMPLES} examples a call and sequences, every check: undocumented"
    )
    figure_of_file(3, what, f"{service.calls}: 0")


def _aim(case: schemathesis.Case) -> bool:
    """Put Ann into the path, whom nobody guesses; False when the path is meant to be wrong.

    Nor does anybody guess a cursor, or that it needs a limit, or which keys came with another body
    before, which a document can't say, or what it says of texts in words.
    """
    if case.meta is None:
        return False
    if isinstance(case.body, dict):
        operations = case.body.get("operations")  # of a batch
        for body in (case.body, *(operations if isinstance(operations, list) else ())):
            if isinstance(body, dict):
                _describe(body)
    tag = (case.query or {}).get("tag")
    if isinstance(tag, str) and len(tag) > TAG_MAX:  # white space around it does not count
        case.query["tag"] = "x" * len(tag)
    if case.query and not case.meta.is_negative_at(ParameterLocation.QUERY):
        if "cursor" in case.query:  # it belongs to no filters
            limit = case.query.get("limit", 1)
            case.query = {"limit": limit, "cursor": _good_cursor(case.operation.path)}
        if "since" in case.query:  # others are from the past, or the future: 410
            case.query["since"] = 0
        case.query |= {name: _as_described(name, text) for name, text in case.query.items()}
    if "Idempotency-Key" in case.headers and not case.meta.is_negative_at(ParameterLocation.HEADER):
        case.headers["Idempotency-Key"] = hashlib.sha256(repr(case.body).encode()).hexdigest()
    if case.meta.is_negative_at(ParameterLocation.PATH):
        return False
    if "user_id" in case.path_parameters:
        case.path_parameters["user_id"] = service.ann.id
    return True


def _good_cursor(path: str) -> str:
    """A cursor of Ann's."""
    if path.endswith("/events"):
        return cursor(Position("2026-11-23T15:04:05.123456Z", 1), service.ann.id)
    return str(SCHEMAS["ListMeta"]["properties"]["next_cursor"]["examples"][0])


def _describe(body: dict[str, Any]) -> None:
    """Make of a body what its description asks for too."""
    body |= {name: _as_described(name, text) for name, text in body.items()}
    if body.get("due_date") is not None and body.get("due_at") is not None:
        body["due_at"] = None  # of two, which generators don't know to be too many
    moment = body.get("due_at")
    if isinstance(moment, str) and moment.startswith(
        ("1969", "9999")
    ):  # in UTC it may be another year
        body["due_at"] = f"2026{moment[4:]}"


def _as_described(name: str, value: Any) -> Any:
    """A text that is too long or good by its description too, and not only by the schema."""
    if isinstance(value, float) and value.is_integer():  # 27.0 is an integer to JSON Schema
        return int(value)
    if isinstance(value, list):
        return [
            "x" * len(item)
            if isinstance(item, str) and len(item) > TAG_MAX
            else _as_described(name, item)
            for item in value
        ]
    if not isinstance(value, str):
        return value
    if name == "email":
        value = INVISIBLE_CHARACTER.sub("x", value)
    if len(value) > (
        NAME_MAX if name == "name" else EMAIL_MAX
    ):  # white space around it does not count
        return "x" * len(value)
    if name.endswith("password") and is_common(value.casefold()):
        return f"{value} x7"
    return value if VISIBLE.search(value) or not re.search(r"\S", value) else f"{value}x"


def _authorize(case: schemathesis.Case) -> dict[str, str]:
    """Ann's token; for what uses up a session or changes the account, that of a new user."""
    who = service.ann
    if case.operation.path in {OPERATIONS[name].path for name in USE_UP}:
        who = Account(who.client, f"{uuid.uuid4()}@example.com", PASSWORD)
        if case.path_parameters.get("user_id") == service.ann.id:
            case.path_parameters["user_id"] = who.id
    return {"Authorization": f"Bearer {who.token}"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_as_documented(name: str, request: pytest.FixtureRequest) -> None:
    @schema.include(operation_id=name).parametrize()
    @settings(deadline=None)
    def check(case: schemathesis.Case) -> None:
        if _aim(case) and "task_id" in case.path_parameters:
            case.path_parameters["task_id"] = service.ann.add()["id"]
        case.call_and_validate(headers=_authorize(case))

    # Made here, not when tests are collected: schemathesis generates most requests while it makes an item,
    # which would take each process of a run 5 s of CPU.
    hook = request.node.ihook
    made = hook.pytest_pycollect_makeitem(collector=request.node.parent, name="test_it", obj=check)
    [item] = made.collect()
    hook.pytest_pyfunc_call(pyfuncitem=item)


def test_every_sequence_of_calls_is_answered_as_documented() -> None:
    """A task is there once created and gone once deleted, whatever came between."""
    failures: list[FailureGroup] = []

    class Life(schema.include(tag="tasks").as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: schemathesis.Case) -> None:
            _aim(case)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": _authorize(case)}

        def validate_response(
            self, response: Any, case: schemathesis.Case, *checks: Any, **sent: Any
        ) -> None:
            try:
                case.validate_response(
                    response, *checks, recorder=self.recorder, transport_kwargs=sent, **sent
                )
            except FailureGroup as failure:
                failures.append(failure)
                raise

    how = settings(max_examples=EXAMPLES, stateful_step_count=8, derandomize=True, deadline=None)
    try:
        Life.run(settings=how)
    except FlakyStrategyDefinition:
        # Hypothesis saw the same choices lead elsewhere. Either an answer was wrong just once, or
        # (rarely) an id that the database made up was drawn from differently: no fault of ours.
        if failures:
            raise failures[0] from None
