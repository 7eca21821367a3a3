"""The clients that openapi-generator writes: Go's compiles, TypeScript's and Python's live a life."""

import importlib
import json
import sys
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from .programs import live_through, run

pytestmark = pytest.mark.programs

NAME = "client_of_openapi_generator"
CLIENTS = {
    "go": {"generateInterfaces": "true"},
    "python": {"packageName": NAME},
    "typescript-fetch": {},
}


@pytest.fixture(scope="module")
def written(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one for each client; one Java machine writes all of them."""
    folder = tmp_path_factory.mktemp("clients")
    settings = []
    for name, properties in CLIENTS.items():
        settings.append(folder / f"{name}.json")
        content = {
            "generatorName": name,
            "inputSpec": str(document),
            "outputDir": str(folder / name / "client"),
        }
        settings[-1].write_text(json.dumps(content | {"additionalProperties": properties}))
    program = Path(sys.executable).with_name("openapi-generator-cli")
    run(program, "batch", "--fail-fast", *settings, cwd=folder)
    return folder


def test_the_client_in_go_compiles(written: Path) -> None:
    sources = written / "go" / "client"
    # what Debian has, and no modules from elsewhere: only the client's tests need them
    run("go", "build", ".", cwd=sources, GOPROXY="off", GOTOOLCHAIN="local", GOFLAGS="-mod=mod")


def test_the_client_in_typescript_lives_a_life(written: Path, live_url: str) -> None:
    live_through("typescript_fetch.ts", written / "typescript-fetch" / "client", live_url)


def test_the_client_in_python_lives_a_life(
    written: Path, live_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(written / "python" / "client")
    client = importlib.import_module(NAME)
    account = {"email": f"{uuid.uuid4()}@example.org", "password": "correct horse battery"}
    credentials = client.Credentials(**account)
    with client.ApiClient(client.Configuration(host=live_url)) as anyone:
        opened = client.AuthApi(anyone).signup(client.SignUp(**account)).data
        session = client.AuthApi(anyone).login(credentials).data
    assert (session.email, session.user_id) == (credentials.email, opened.user_id)

    settings = client.Configuration(host=live_url, access_token=session.access_token)
    with client.ApiClient(settings) as signed_in:
        tasks, user = client.TasksApi(signed_in), session.user_id
        created = tasks.create_task(user, client.TaskCreate(title="Água às 🌱")).data
        assert (created.title, created.completed_at) == ("Água às 🌱", None)
        listed = tasks.list_tasks(user, limit=1)
        assert (listed.data, listed.meta.count, listed.meta.next_cursor) == ([created], 1, None)
        assert tasks.get_task(user, created.id).data == created
        changed = tasks.update_task(user, created.id, client.TaskChange(title="Tea")).data
        assert (changed.title, changed.is_completed) == ("Tea", False)
        assert isinstance(tasks.complete_task(user, created.id).data.completed_at, datetime)
        tasks.delete_task(user, created.id)
        with pytest.raises(client.exceptions.NotFoundException) as gone:
            tasks.get_task(user, created.id)
        assert json.loads(gone.value.body)["code"] == "not-found"
        with pytest.raises(ValueError, match="regular expression"):
            client.TaskCreate(title=" ")
        client.AuthApi(signed_in).logout()
        with pytest.raises(client.exceptions.UnauthorizedException):
            tasks.list_tasks(user)
