"""The OpenAPI document tells everything and nothing but the truth: held against the running service."""

import http.client
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from support.accounts import Account
from support.leaks import Scan
from support.live_service import live_service
from support.openapi_document import Document, Operation, current_document
from support.watched import had_a_bug
from todo_api.auth.codes import code_hash
from todo_api.web.problem_codes import CODES

pytestmark = pytest.mark.contract
DOCUMENT = Document(current_document())
OPERATIONS = DOCUMENT.operations
PAIRS = [(name, status) for name, operation in OPERATIONS.items() for status in operation.statuses]
ASKING = {"changePassword", "changeEmail", "deleteAccount"}  # for the current password
LIMITED = {"signup", "login", "reset", *ASKING}
BEFORE_THE_COUNT = {415, 421, 503}
IDS = ("user_id", "task_id", "session_id", "token_id")
BY_THE_SERVER = {408, 413, 431}  # before the application sees the request
HTTPS = "https://localhost"  # so that Strict-Transport-Security is sent too
ORIGIN = "https://app.example.com"  # and the headers for pages of other origins
BY_THE_APPLICATION = {
    "Strict-Transport-Security", "Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
}  # fmt: skip
ATTEMPTS = frozenset({"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"})
NOTHING = frozenset[str]()
PASSWORD = "correct horse battery"


def url_of(operation: Operation, **ids: str) -> str:
    nobodys = {"path": "docs.css", "session_id": str(uuid.uuid4())}
    return operation.path.format(**(nobodys | ids))


def in_query(operation: Operation) -> list[str]:
    parameters = map(DOCUMENT.resolved, operation.about["parameters"])
    return [one["name"] for one in parameters if one["in"] == "query"]


# The document by itself


@pytest.mark.slow
def test_it_is_a_valid_openapi_3_1_document():
    assert DOCUMENT.content["openapi"].startswith("3.1.")
    assert [
        error.message for error in OpenAPIV31SpecValidator(DOCUMENT.content).iter_errors()
    ] == []


def test_it_is_what_the_service_serves(client):
    assert client.get("/openapi.json").json == DOCUMENT.content


@pytest.mark.parametrize(
    ("example", "schema"),
    [pytest.param(example, schema, id=where) for where, example, schema in DOCUMENT.examples()],
)
def test_an_example_is_what_its_schema_asks_for(example, schema):
    assert DOCUMENT.errors(example, schema) == []


def test_every_body_has_an_example():
    for operation in OPERATIONS.values():
        assert bool(operation.body_examples) == ("requestBody" in operation.about), operation.id
        for status, response in operation.about["responses"].items():
            for kind, media in DOCUMENT.resolved(response).get("content", {}).items():
                if "$ref" in media["schema"]:
                    assert media.get("example") or media.get("examples"), (
                        operation.id,
                        status,
                        kind,
                    )


def test_every_route_and_method_is_in_it_and_no_other(app: Flask):
    routes = {
        (
            method,
            rule.rule.replace("<path:", "<")
            .replace("<task:", "<")
            .replace("<", "{")
            .replace(">", "}"),
        )
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(operation.method, operation.path) for operation in OPERATIONS.values()} == routes


def test_every_parameter_of_a_path_is_described():
    for operation in OPERATIONS.values():
        parameters = map(DOCUMENT.resolved, operation.about["parameters"])
        described = {one["name"] for one in parameters if one["in"] == "path"}
        in_path = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
        assert described == in_path


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_call_documents_each_status_that_it_can_give(operation):
    expected = {408, 413, 431, 500}
    if operation.about["tags"] != ["health"]:
        expected.add(421)
    if operation.about["tags"] not in (["health"], ["docs"]) or operation.id == "ready":
        expected.add(503)
    if operation.needs_token or operation.id in ("login", "reset"):
        expected.add(401)
    if operation.needs_token or operation.id in ("login", "signup"):
        expected.add(403)
    if re.search("{(task_id|session_id|token_id|path)}", operation.path):
        expected.add(404)
    if "requestBody" in operation.about:
        expected |= {400, 415, 422}
    if in_query(operation):
        expected.add(422)
    if operation.id in (
        "signup",
        "changeEmail",
        "createToken",
        "createTask",
        "updateTask",
        "patchTask",
        "deleteTask",
    ):
        expected.add(409)
    if operation.id == "listChanges":
        expected.add(410)
    if operation.id in (*LIMITED, "createTask", "runBatch"):  # the latter by the bound of keys
        expected.add(429)
    assert {status for status in operation.statuses if status >= 400} == expected


def test_every_code_is_documented_with_its_status():
    assert {code for pair in PAIRS for code in documented_codes(*pair)} == (
        CODES.keys() - {"method-not-allowed"}
    )
    assert list(DOCUMENT.content["components"]["responses"]) == ["method-not-allowed"]
    for _, operation, status, problem in problem_examples():
        assert problem["status"] == CODES[problem["code"]].status
        assert status in (str(problem["status"]), "default"), operation.id
        assert problem["detail"] == CODES[problem["code"]].detail


def problem_examples() -> Iterator[tuple[str, Operation, str, dict[str, Any]]]:
    """Each example of a failure, with its code, its call and its status as documented."""
    for operation in OPERATIONS.values():
        for status, response in operation.about["responses"].items():
            content = DOCUMENT.resolved(response).get("content", {})
            media = content.get("application/problem+json", {})
            for code, example in media.get("examples", {}).items():
                yield code, operation, status, example["value"]


def test_an_example_of_a_failure_is_one_of_its_own_call():
    found = list(problem_examples())
    assert len(found) > 100
    for code, operation, _, problem in found:
        in_path = re.sub(r"\\{\w+\\}", "[^/{}]+", re.escape(operation.path))
        assert re.fullmatch(in_path, problem["instance"]), operation.id
        assert (problem["code"], problem["type"]) == (code, f"/problems#{code}")
        fields = {error["field"] for error in problem.get("errors", [])}
        assert fields <= {*body_fields(operation), *in_query(operation), "Idempotency-Key"}
        assert bool(fields) == (problem["status"] == 422)


def body_fields(operation: Operation) -> set[str]:
    content = operation.about.get("requestBody", {}).get("content", {})
    schemas = [DOCUMENT.resolved(media["schema"]) for media in content.values()]
    return {name for schema in schemas for name in schema["properties"]}


def test_an_example_of_an_address_is_one_of_the_service():
    paths = [re.sub(r"\\{\w+\\}", "[^/{}]+", re.escape(one.path)) for one in OPERATIONS.values()]
    headers = DOCUMENT.content["components"]["headers"]
    [link] = re.findall("<(.*?)[?]", headers["Link"]["example"])
    for address in [link, *(one["value"] for one in headers["Location"]["examples"].values())]:
        assert any(re.fullmatch(path, address) for path in paths), address


def test_nothing_is_filled_in_that_a_person_did_not_ask_for():
    # Swagger UI writes examples and defaults into its form, and sends them.
    for operation in OPERATIONS.values():
        for parameter in map(DOCUMENT.resolved, operation.about["parameters"]):
            assert not {"example", "examples"} & parameter.keys(), parameter["name"]
            assert not {"example", "examples", "default"} & parameter["schema"].keys()


def test_everything_is_described():
    for tag in DOCUMENT.content["tags"]:
        assert tag["description"].endswith(".")
    tags = {tag["name"] for tag in DOCUMENT.content["tags"]}
    for operation in OPERATIONS.values():
        assert set(operation.about["tags"]) <= tags
        assert operation.about["summary"]
        assert operation.about["description"].endswith("."), operation.id
        for parameter in map(DOCUMENT.resolved, operation.about["parameters"]):
            assert parameter["description"].endswith("."), parameter["name"]


def test_the_description_is_true_on_every_page():
    # ReDoc has no such button.
    assert "Authorize" not in json.dumps(DOCUMENT.content)


# The document for programs that write clients


def nodes(item: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(item, dict):
        yield item
    if isinstance(item, dict | list):
        for value in item.values() if isinstance(item, dict) else item:
            yield from nodes(value)


PATTERNS = {
    node["pattern"] for node in nodes(DOCUMENT.content) if isinstance(node.get("pattern"), str)
}


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_a_pattern_is_simple(pattern):
    """Generators write patterns into source code, and readers differ in all but these escapes."""
    assert re.fullmatch("[ -~]+", pattern)
    assert set(re.findall(r"\\.", pattern)) <= {r"\x", r"\s", r"\S", r"\."}
    assert "/" not in pattern
    assert '"' not in pattern
    assert "(?" not in pattern
    started = time.perf_counter()
    re.search(pattern, "a" * 20_000 + "\x00")
    re.search(pattern, " " * 20_000 + "\x00")
    assert time.perf_counter() - started < 5  # a square of that takes longer


def test_every_schema_says_its_type():
    for node in nodes(DOCUMENT.content):
        if "enum" in node or "const" in node:
            assert node["type"] == "string"
        assert node.get("required") != []
        assert "not" not in node


def test_no_class_has_the_name_of_what_generators_add_to_another():
    names = set(DOCUMENT.content["components"]["schemas"])
    # Go has a function NewTask that makes a Task, and a NullableTask
    for prefix in ("New", "Nullable", "NewNullable"):
        assert not {prefix + name for name in names} & names
    assert len({name.lower() for name in names}) == len(names)
    ids = [operation.id for operation in OPERATIONS.values()]
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", one) for one in ids)
    assert len({one.lower() for one in ids}) == len(ids)


def documented_codes(name: str, status: int) -> set[str]:
    response = DOCUMENT.resolved(OPERATIONS[name].about["responses"][str(status)])
    media = response.get("content", {}).get("application/problem+json", {})
    return {example["value"]["code"] for example in media.get("examples", {}).values()}


# Security


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_call_needs_a_token_exactly_when_the_document_says_so(client, operation):
    ids = {name: str(uuid.uuid4()) for name in IDS}
    for headers in ({}, {"Authorization": "Bearer x"}):
        answer = client.open(url_of(operation, **ids), method=operation.method, headers=headers)
        assert (answer.status_code == 401) == operation.needs_token


# Every documented answer of every call, provoked


class Provoke:
    """Makes a call answer with a status; one method for each kind of call that leads there."""

    def __init__(
        self,
        make_app: Callable[..., Flask],
        shared_app: Callable[..., Flask],
        monkeypatch: pytest.MonkeyPatch,
        watched: Scan,
        superuser: psycopg.Connection[Any],
    ) -> None:
        self.superuser = superuser
        self.make_app = partial(make_app, cors_origins=(ORIGIN,))
        self.monkeypatch = monkeypatch
        self.watched = watched
        self.app = shared_app(cors_origins=(ORIGIN,), max_tasks_per_user=2)
        self.client = self.app.test_client()
        self.shared_app = shared_app
        self.problems_page = self.client.get("/problems").text
        self.account = Account(self.client, "zoe@example.com", PASSWORD)
        self.task = self.account.add()
        made = self.account.post(
            f"/api/{self.account.id}/tokens", json={"name": "x", "scope": "write"}
        )
        self.api_token = made.json["data"]
        self.ids = {
            "user_id": self.account.id,
            "task_id": self.task["id"],
            "token_id": self.api_token["id"],
            "session_id": self.account.session_id,
        }

    def send(
        self, operation: Operation, client: FlaskClient | None = None, **changes: Any
    ) -> TestResponse:
        """The call as the document's first example has it, but for the changes."""
        ids = self.ids | changes.pop("ids", {})
        headers = {"Origin": ORIGIN} | changes.pop("headers", {})
        if changes.pop("token", operation.needs_token):
            headers["Authorization"] = f"Bearer {self.account.token}"
        if operation.body_examples and "data" not in changes:
            changes.setdefault("json", operation.body_examples[0])
        return (client or self.client).open(
            url_of(operation, **ids),
            method=operation.method,
            base_url=HTTPS,
            headers=headers,
            **changes,
        )

    def success(self, operation: Operation) -> TestResponse:
        if operation.id == "login":
            Account(self.client, operation.body_examples[0]["email"], PASSWORD)
        if operation.id == "reset":
            self.give_code(operation.body_examples[0]["code"])
        if operation.id in ("createTask", "runBatch"):
            headers = {"Idempotency-Key": "k"}
            self.send(operation, headers=headers)
            return self.send(operation, headers=headers)
        if operation.id == "listTasks":  # with everything that it can have
            self.account.add()
            return self.send(operation, query_string={"limit": 1})
        if operation.id == "listEvents":
            self.account.post("/api/auth/renew")
            return self.send(operation, query_string={"limit": 1})
        return self.send(operation)

    def give_code(self, code: str) -> None:
        """What `todo-api users reset-password` does, for the account."""
        self.superuser.execute(
            "INSERT INTO reset_codes VALUES (%s, decode(%s, 'hex'), now() + interval '1 hour')",
            [self.account.id, code_hash(code)],
        )

    def there(self, operation: Operation) -> TestResponse:
        body = operation.body_examples[0] | {"id": self.task["id"]}
        self.send(operation, json=body, headers={"Idempotency-Key": "k"})
        return self.send(operation, json=body, headers={"Idempotency-Key": "k"})

    def invalid(self, operation: Operation) -> TestResponse:
        if in_query(operation):
            return self.send(operation, query_string=dict.fromkeys(in_query(operation), "x"))
        return self.send(operation, json={"title": 7})

    def not_modified(self, operation: Operation) -> TestResponse:
        tag = self.send(operation).headers["ETag"]
        return self.send(operation, headers={"If-None-Match": tag})

    def unauthorized(self, operation: Operation) -> TestResponse:
        return self.send(operation, token=False)  # to log in: nobody has the example's address

    def not_found(self, operation: Operation) -> TestResponse:
        return self.send(
            operation, ids={name: str(uuid.uuid4()) for name in IDS[1:]} | {"path": "nowhere.css"}
        )

    def forbidden(self, operation: Operation) -> TestResponse:
        if operation.id == "login":
            Account(self.client, operation.body_examples[0]["email"], PASSWORD)
            self.superuser.execute("UPDATE users SET disabled_at = now()")
            return self.send(operation)
        if operation.id == "signup":
            closed = self.shared_app(cors_origins=(ORIGIN,), signup="closed")
            return self.send(operation, closed.test_client())
        if "{user_id}" in operation.path:
            return self.send(operation, ids={"user_id": str(uuid.uuid4())})
        headers = {"Authorization": f"Bearer {self.api_token['token']}"}
        return self.send(operation, token=False, headers=headers)

    def conflict(self, operation: Operation) -> TestResponse:
        self.monkeypatch.setattr("todo_api.accounts.api_tokens.MAX_TOKENS", 2)
        if operation.id == "changeEmail":
            Account(self.client, operation.body_examples[0]["email"], PASSWORD)
        if operation.id in ("updateTask", "patchTask"):
            return self.send(operation, json={"title": "x", "if_revision": 9})
        if operation.id == "deleteTask":
            return self.send(operation, query_string={"if_revision": 9})
        self.send(operation)
        return self.send(operation)

    def rate_limited(self, operation: Operation) -> TestResponse:
        if operation.id in ("createTask", "runBatch"):
            self.monkeypatch.setattr("todo_api.tasks.idempotency.KEYS_PER_DAY", 1)
            client = self.make_app(max_tasks_per_user=1).test_client()
            task = f"/api/{self.account.id}/tasks/{self.task['id']}"
            self.account.delete(task)
            self.send(operation, client, headers={"Idempotency-Key": "k"})
            return self.send(operation, client, headers={"Idempotency-Key": "l"})
        client = self.make_app(auth_rate_limit="1 per minute").test_client()
        self.send(operation, client, json={})
        return self.send(operation, client)

    def bug(self, operation: Operation) -> TestResponse:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("a bug")

        if operation.id in LIMITED:  # behind the count of attempts
            wing = "accounts" if operation.id in ASKING else "auth"
            self.monkeypatch.setattr(f"todo_api.{wing}.blueprint.read_body", fail)
        else:
            path = url_of(operation, **self.ids)
            endpoint, _ = self.app.url_map.bind("localhost").match(path, operation.method)
            self.monkeypatch.setitem(self.app.view_functions, endpoint, fail)
        answer = self.send(operation)
        had_a_bug(self.watched)
        return answer

    def unavailable(self, operation: Operation) -> TestResponse:
        self.monkeypatch.setattr("todo_api.database.pool.POOL_TIMEOUT_S", 0.05)
        away = self.make_app(database_url="postgresql://127.0.0.1:1/nowhere")
        return self.send(operation, away.test_client())

    def answer(self, operation: Operation, status: int) -> TestResponse:
        send = self.send
        ways: dict[int, Callable[[Operation], TestResponse]] = {
            200: self.there if operation.id == "createTask" else self.success,
            201: self.success,
            204: self.success,
            302: self.success,
            304: self.not_modified,
            400: partial(send, data=b"{", content_type="application/json"),
            401: self.unauthorized,
            403: self.forbidden,
            404: self.not_found,
            409: self.conflict,
            410: partial(send, query_string={"since": 10**15}),
            413: partial(send, data=b" " * (512 * 1024 + 1), content_type="application/json"),
            415: partial(send, data=b"{}", content_type="text/plain"),
            421: partial(send, headers={"Host": "evil.example"}),
            422: self.invalid,
            429: self.rate_limited,
            500: self.bug,
            503: self.unavailable,
        }
        return ways[status](operation)


@pytest.fixture
def provoke(make_app, shared_app, monkeypatch, watched, superuser) -> Provoke:
    return Provoke(make_app, shared_app, monkeypatch, watched, superuser)


def by_the_application(name: str, status: int) -> bool:
    return status not in BY_THE_SERVER or (
        status == 413 and "requestBody" in OPERATIONS[name].about
    )


@pytest.mark.parametrize(("name", "status"), [pair for pair in PAIRS if by_the_application(*pair)])
def test_an_answer_is_as_documented(provoke, name, status):
    operation = OPERATIONS[name]
    answer = provoke.answer(operation, status)
    assert answer.status_code == status
    # What is left of the allowance is counted in the database; what is not called JSON does not count.
    uncounted = BEFORE_THE_COUNT | ({401, 403} if operation.needs_token else set())
    absent = ATTEMPTS if status in uncounted and name in LIMITED else NOTHING
    response = operation.about["responses"][str(status)]
    value = DOCUMENT.check(response, answer.headers, answer.data, absent=absent)
    if answer.mimetype == "application/problem+json":
        assert value["code"] in documented_codes(name, status)
        assert value["type"] == f"/problems#{value['code']}"
        assert f'id="{value["code"]}"' in provoke.problems_page


@pytest.mark.parametrize("path", DOCUMENT.content["paths"])
def test_another_method_is_answered_as_documented(shared_app, path):
    client = shared_app(cors_origins=(ORIGIN,)).test_client()
    known = {operation.method for operation in OPERATIONS.values() if operation.path == path}
    ids = {name: str(uuid.uuid4()) for name in IDS} | {"path": "docs.css"}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
        answer = client.open(
            path.format(**ids),
            method=method,
            base_url=HTTPS,
            headers={"Origin": ORIGIN},
        )
        assert answer.status_code == 405
        response = DOCUMENT.content["components"]["responses"]["method-not-allowed"]
        value = DOCUMENT.check(response, answer.headers, answer.data)
        assert value["code"] == "method-not-allowed"
        implied = {"OPTIONS", "HEAD"} if "GET" in known else {"OPTIONS"}
        assert set(answer.headers["Allow"].split(", ")) == known | implied


@pytest.fixture(scope="module")
def address(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_service(
        shared_database_url, tmp_path_factory.mktemp("service"), REQUEST_TIMEOUT="1"
    ) as service:
        yield urlsplit(service.url).netloc


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (operation, status)
        for status in sorted(BY_THE_SERVER)
        for operation in OPERATIONS.values()
        if status != 408 or operation.id == "createTask"  # it takes its time
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_the_servers_own_refusal_is_as_documented(address, operation, status):
    ids = {name: str(uuid.uuid4()) for name in IDS}
    header = {
        408: ("Content-Length", "1"),  # and no body
        413: ("Content-Length", str(1 << 30)),
        431: ("X-Filler", "x" * 64 * 1024),
    }[status]
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request(operation.method, url_of(operation, **ids), headers=dict([header]))
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status == status
    value = DOCUMENT.check(
        operation.about["responses"][str(status)],
        dict(answer.getheaders()),
        content,
        absent=ATTEMPTS & described(operation, status) | BY_THE_APPLICATION,
    )
    assert value["code"] in documented_codes(operation.id, status)


def described(operation: Operation, status: int) -> set[str]:
    return set(DOCUMENT.resolved(operation.about["responses"][str(status)])["headers"])


# What a body may be: schema and service agree


def shortened(value: object) -> str:
    return ascii(value)[:40]


# What a schema can't say, it says in words: white space around a text counts for its schema, and so do
# invisible characters as visible ones.
TITLES = [
    "a", " a\n", "", " ", "\t\n", "a" * 500, "a" * 501, "  " + "a" * 500 + "\u2003", " " * 600,
    "a" + " " * 600, "a" + " " * 498 + "a", "a" + " " * 499 + "a", "a\x00b", "a\nb", "a\x7fb", "\x1ca",
    "a\u2028b", "\u3000", "\u200b", "\u200ba", "\ufe0f" * 3, "\U000e0001", "\U000e0001a", "\U000e0fff",
    "\U000e1000", "\U0001f600" * 500, "\U0001f600" * 501, "\u05e9\u05dc\u05d5\u05dd", "\x85a", "\u00ad",
]  # fmt: skip
EMAILS = [
    "ann@example.com", " Ann@Example.com\n", "ann", "ann@example", "@example.com", "ann@", "a@b@example.com",
    "an n@example.com", "ann@exam ple.com", "ann@.com", "ann@example.", "ann@a..b", "a\x00b@example.com",
    "a" * 242 + "@example.com", "a" * 243 + "@example.com", " " * 300 + "ann@example.com", "用户@例子.公司",
    "ann@example.com\u2003", "\u200b@example.com", "a\u2028b@example.com", "\U0001f600@example.com",
]  # fmt: skip
PASSWORDS = [
    "12345670",
    "1234567",
    "",
    " " * 8,
    "x" * 1024,
    "x" * 1025,
    "\U0001f600" * 8,
    "\x00" * 8,
]


REFUSED_TITLES = {
    "\u200b",
    "\ufe0f" * 3,
    "\U000e0001",
    "\U000e0fff",
    "\u00ad",
}  # though the schema has them
TAKEN_TITLES = {"  " + "a" * 500 + "\u2003", "a" + " " * 600, "\x85a"}  # though it has not
REFUSED_EMAILS = {"\u200b@example.com"}  # at sign-up; an account from before can log in
TAKEN_EMAILS = {" " * 300 + "ann@example.com", "ann@example.com\u2003"}


@pytest.mark.parametrize("title", TITLES, ids=shortened)
def test_the_schema_and_the_service_agree_on_a_title(ann, title):
    valid = DOCUMENT.errors({"title": title}, {"$ref": "#/components/schemas/TaskCreate"}) == []
    assert valid == (
        DOCUMENT.errors({"title": title}, {"$ref": "#/components/schemas/TaskChange"}) == []
    )
    assert valid or title not in REFUSED_TITLES
    assert not valid or title not in TAKEN_TITLES
    taken = title in TAKEN_TITLES or (valid and title not in REFUSED_TITLES)
    assert ann.post(ann.tasks, json={"title": title}).status_code == (201 if taken else 422)
    task = ann.path_of(ann.add())
    assert ann.put(task, json={"title": title}).status_code == (200 if taken else 422)


@pytest.mark.parametrize(
    "body",
    [{"email": email, "password": PASSWORD} for email in EMAILS]
    + [{"email": "ann@example.com", "password": password} for password in PASSWORDS],
    ids=shortened,
)
def test_the_schema_and_the_service_agree_on_credentials(client, body):
    valid = DOCUMENT.errors(body, {"$ref": "#/components/schemas/SignUp"}) == []
    at_login = DOCUMENT.errors(body, {"$ref": "#/components/schemas/Credentials"}) == []
    assert valid == at_login
    assert not valid or body["email"] not in TAKEN_EMAILS
    assert valid or body["email"] not in REFUSED_EMAILS
    known = valid or body["email"] in TAKEN_EMAILS
    taken = known and body["email"] not in REFUSED_EMAILS
    assert client.post("/api/auth/signup", json=body).status_code == (201 if taken else 422)
    expected = 200 if taken else 401 if known else 422
    assert client.post("/api/auth/login", json=body).status_code == expected


@pytest.mark.parametrize(
    "body",
    [{}, {"title": None}, {"title": 1}, {"title": "a", "x": 1}, {"is_completed": None}, {"is_completed": 1},
     {"is_completed": "true"}, {"is_completed": True}, {"title": "a", "is_completed": False}, [], "a", None],
    ids=shortened,
)  # fmt: skip
def test_the_schema_and_the_service_agree_on_the_shape_of_a_change(ann, body):
    valid = DOCUMENT.errors(body, {"$ref": "#/components/schemas/TaskChange"}) == []
    task = ann.path_of(ann.add())
    answer = ann.put(task, data=json.dumps(body), content_type="application/json")
    assert answer.status_code == (200 if valid else 422)
