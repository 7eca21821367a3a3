"""A client that a tool wrote from /openapi.json goes through an account's whole life, typed."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from support.live_service import live_service

pytestmark = [
    pytest.mark.contract,
    pytest.mark.usefixtures("database_url"),  # which empties the database afterwards
]

OPERATIONS = {
    "auth": ["signup", "login", "logout"],
    "tasks": [
        "list_tasks", "create_task", "get_task", "update_task", "complete_task", "delete_task",
    ],
    "health": ["live", "ready"],
}  # fmt: skip


@pytest.fixture(scope="module")
def url(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_service(shared_database_url, tmp_path_factory.mktemp("service")) as service:
        yield service.url


class Generated:
    """The generated package: its modules by their short names, and its classes."""

    def __init__(self, name: str) -> None:
        self.package = importlib.import_module(name)
        self.models = importlib.import_module(f"{name}.models")
        for tag, operations in OPERATIONS.items():
            for operation in operations:
                setattr(self, operation, importlib.import_module(f"{name}.api.{tag}.{operation}"))


@pytest.fixture(scope="module")
def generated(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    folder = tmp_path_factory.mktemp("client")
    name = f"todo_client_{uuid4().hex}"
    settings = folder / "generator.yml"
    settings.write_text("post_hooks: []\n")  # they only format what was generated
    run = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--url", f"{url}/openapi.json", "--config", settings),
            *("--meta", "none", "--output-path", folder / name),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "warning" not in (run.stdout + run.stderr).lower()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield Generated(name)
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.slow
def test_an_account_lives_its_whole_life_through_the_generated_client(generated, url):
    models = generated.models
    known_by = {"email": "Ann@Example.com", "password": "correct horse battery"}
    credentials = models.Credentials(**known_by)

    with generated.package.Client(base_url=url) as anyone:
        opened = generated.signup.sync(client=anyone, body=models.SignUp(**known_by))
        assert isinstance(opened, models.SessionAnswer)
        assert opened.data.email == "ann@example.com"
        session = generated.login.sync(client=anyone, body=credentials)
        assert isinstance(session, models.SessionAnswer)
        user_id = session.data.user_id
        assert isinstance(user_id, UUID)
        assert user_id == opened.data.user_id

    with generated.package.AuthenticatedClient(
        base_url=url, token=session.data.access_token
    ) as ann:
        created = generated.create_task.sync(
            user_id, client=ann, body=models.TaskCreate(title="Buy oat milk"), x_request_id="ours-1"
        )
        assert isinstance(created, models.TaskAnswer)
        assert created.meta.request_id == "ours-1"
        task = created.data
        assert (task.title, task.is_completed, task.completed_at) == ("Buy oat milk", False, None)
        assert abs(datetime.now(UTC) - task.created_at) < timedelta(minutes=5)

        listed = generated.list_tasks.sync(user_id, client=ann)
        assert isinstance(listed, models.TaskListAnswer)
        assert (listed.data, listed.meta.count) == ([task], 1)

        got = generated.get_task.sync(user_id, task.id, client=ann)
        assert got.data == task

        change = models.TaskChange(title="Buy two cartons")
        updated = generated.update_task.sync(user_id, task.id, client=ann, body=change)
        assert (updated.data.title, updated.data.is_completed) == ("Buy two cartons", False)

        completed = generated.complete_task.sync(user_id, task.id, client=ann)
        assert completed.data.is_completed
        assert isinstance(completed.data.completed_at, datetime)

        assert generated.delete_task.sync_detailed(user_id, task.id, client=ann).status_code == 204
        gone = generated.get_task.sync_detailed(user_id, task.id, client=ann)
        assert gone.status_code == 404
        assert isinstance(gone.parsed, models.ProblemAnswer)
        assert gone.parsed.code == "not-found"

        assert generated.logout.sync_detailed(client=ann).status_code == 204
        refused = generated.list_tasks.sync(user_id, client=ann)
        assert isinstance(refused, models.ProblemAnswer)
        assert (refused.status, refused.code) == (401, "unauthorized")


def test_a_refused_body_comes_back_as_typed_problems_of_its_fields(generated, url):
    models = generated.models
    with generated.package.Client(base_url=url) as anyone:
        body = models.Credentials(email="ann", password="short")
        problem = generated.signup.sync(client=anyone, body=body)
    assert isinstance(problem, models.ProblemAnswer)
    assert {type(error) for error in problem.errors} == {models.FieldError}
    assert [error.field for error in problem.errors] == ["email", "password"]


def test_the_health_calls_are_typed_too(generated, url):
    with generated.package.Client(base_url=url) as anyone:
        for call in (generated.live, generated.ready):
            assert call.sync(client=anyone).status == generated.models.HealthStatus.OK
