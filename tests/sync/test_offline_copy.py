"""The example client of "Keep an offline copy", against a running service: pull, push, conflict, 410."""

import importlib.util
import random
import sys
import urllib.error
from collections.abc import Callable, Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from support.live_service import LiveClient, LiveService, LiveUser, live_service
from todo_api import __file__ as face

pytestmark = pytest.mark.slow
EXAMPLE = Path(face).parent / "deploy" / "examples" / "offline_copy.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The file, as somebody has it who copied it."""
    spec = importlib.util.spec_from_file_location("offline_copy", EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[LiveService]:
    with live_service(database_url, tmp_path) as service:
        yield service


@pytest.fixture
def client(service: LiveService) -> Iterator[LiveClient]:
    with service.client() as client:
        yield client


@pytest.fixture
def user(service: LiveService, client: LiveClient) -> LiveUser:
    return service.sign_up(client)


@pytest.fixture
def device(
    service: LiveService, client: LiveClient, user: LiveUser, example: ModuleType, tmp_path: Path
) -> Callable[[str], Any]:
    """A device of the user, by its name; the same file each time."""
    body = {"name": "Devices", "scope": "write"}
    answer = client.ask("POST", f"/api/{user.id}/tokens", body, token=user.token)
    token = answer.json["data"]["token"]
    service.scan.secrets.add(token)
    return lambda name: example.OfflineCopy(service.url, user.id, token, tmp_path / f"{name}.json")


def listed(client: LiveClient, user: LiveUser) -> dict[str, dict[str, Any]]:
    """The tasks at the server, by id."""
    found = client.ask("GET", user.tasks, token=user.token).json["data"]
    return {task["id"]: task for task in found}


def test_what_one_device_does_without_a_connection_comes_to_the_other(
    device: Callable[[str], Any], client: LiveClient, user: LiveUser
) -> None:
    phone, laptop = device("phone"), device("laptop")
    milk = phone.create(title="Oat milk", tags=["shopping"])
    bread = phone.create(title="Bread")
    phone.update(milk, notes="the blue one")
    phone.complete(bread)
    assert phone.tasks()[milk]["notes"] == "the blue one"
    assert phone.tasks()[bread]["is_completed"]
    assert listed(client, user) == {}
    assert phone.sync() == []
    assert laptop.sync() == []
    assert laptop.tasks() == phone.tasks() == listed(client, user)
    laptop.delete(bread)
    assert laptop.tasks().keys() == {milk}
    assert laptop.sync() == []
    assert phone.sync() == []
    assert phone.tasks() == listed(client, user)
    assert phone.tasks().keys() == {milk}


def test_the_copy_is_kept_in_its_file(device: Callable[[str], Any]) -> None:
    phone = device("phone")
    one = phone.create(title="Sent")
    phone.sync()
    phone.update(one, title="Waits")
    again = device("phone")
    assert again.tasks() == phone.tasks()
    assert again.sync() == []
    assert again.tasks()[one]["title"] == "Waits"
    assert again.tasks()[one]["revision"] == 2


def test_who_is_slower_is_told_and_gets_what_the_other_wrote(
    device: Callable[[str], Any], client: LiveClient, user: LiveUser
) -> None:
    phone, laptop = device("phone"), device("laptop")
    task = phone.create(title="Both")
    phone.sync()
    laptop.sync()
    phone.update(task, title="From the phone")
    laptop.update(task, title="From the laptop", priority=3)
    laptop.update(task, notes="later")
    assert phone.sync() == []
    refused = laptop.sync()
    assert [(one["op"], code) for one, code in refused] == [("update", "revision-conflict")] * 2
    assert laptop.tasks() == phone.tasks() == listed(client, user)
    assert laptop.tasks()[task]["title"] == "From the phone"
    assert laptop.tasks()[task]["notes"] is None


def test_a_lost_answer_does_nothing_twice(
    device: Callable[[str], Any],
    client: LiveClient,
    user: LiveUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phone = device("phone")
    task = phone.create(title="Once")
    phone.sync()
    phone.update(task, title="Twice?")
    phone.create(title="Another")
    ask = phone._ask

    def lose(path: str, *rest: Any) -> Any:
        answer = ask(path, *rest)
        if "batch" in path:
            raise urllib.error.URLError("the connection was lost")
        return answer

    monkeypatch.setattr(phone, "_ask", lose)
    with pytest.raises(OSError, match="lost"):
        phone.sync()
    client.ask("DELETE", f"{user.tasks}/{task}", token=user.token)  # meanwhile, from elsewhere
    again = device("phone")  # after a crash
    assert again.sync() == []
    titles = sorted(one["title"] for one in listed(client, user).values())
    assert titles == ["Another"]
    assert again.tasks() == listed(client, user)


def test_an_operation_of_the_wrong_shape_is_refused_and_the_others_are_sent(
    device: Callable[[str], Any], client: LiveClient, user: LiveUser
) -> None:
    phone = device("phone")
    known = phone.create(title="Known")
    phone.sync()
    first = phone.create(title="First")
    empty = phone.create(title="")
    phone.update(known, notes="x" * 4001)
    phone.complete(known)
    phone.update(empty, title="on an empty one")
    last = phone.create(title="Last", priority=2)
    refused = phone.sync()
    assert {code for _, code in refused} == {"validation-error"}
    assert [(one["op"], one["id"]) for one, _ in refused] == [
        *(("create", empty), ("update", empty)),
        *(("update", known), ("complete", known)),
    ]
    assert phone.sync() == []
    assert phone.tasks() == listed(client, user)
    assert phone.tasks().keys() == {known, first, last}
    assert phone.tasks()[known]["notes"] is None


def test_a_batch_with_nothing_right_is_refused_and_what_is_behind_it_is_sent(
    device: Callable[[str], Any], client: LiveClient, user: LiveUser
) -> None:
    phone = device("phone")
    for number in range(100):
        phone.create(title="Coloured", colour=number)
    behind = phone.create(title="Behind")
    assert len(phone.sync()) == 100
    assert listed(client, user).keys() == phone.tasks().keys() == {behind}


def test_an_operation_that_is_too_large_is_refused_and_what_is_behind_it_is_sent(
    device: Callable[[str], Any], client: LiveClient, user: LiveUser
) -> None:
    phone = device("phone")
    large = phone.create(title="Large", notes="x" * 600_000)
    behind = phone.create(title="Behind")
    assert [(one["id"], code) for one, code in phone.sync()] == [(large, "payload-too-large")]
    assert listed(client, user).keys() == phone.tasks().keys() == {behind}


def test_what_refuses_all_is_raised_and_nothing_that_waits_is_lost(
    device: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = device("phone")
    ids = {phone.create(title="One"), phone.create(title="Two")}
    ask = phone._ask
    for status, body in (
        (422, b'{"code": "idempotency-key-reused"}'),
        (413, b"<html>"),
        (503, b""),
    ):

        def refuse(*arguments: Any, status: int = status, body: bytes = body) -> Any:
            raise urllib.error.HTTPError("", status, "", Message(), BytesIO(body))

        monkeypatch.setattr(phone, "_ask", refuse)
        with pytest.raises(urllib.error.HTTPError):
            phone.sync()
    monkeypatch.setattr(phone, "_ask", ask)
    assert phone.tasks().keys() == ids
    assert phone.sync() == []
    assert phone.tasks().keys() == ids


def test_a_refusal_is_told_though_the_connection_is_lost_after_it(
    device: Callable[[str], Any],
    client: LiveClient,
    user: LiveUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phone = device("phone")
    wrong, right = phone.create(title=""), phone.create(title="Right")
    ask = phone._ask

    def lose_changes(path: str, *rest: Any) -> Any:
        if "changes" in path:
            raise urllib.error.URLError("the connection was lost")
        return ask(path, *rest)

    monkeypatch.setattr(phone, "_ask", lose_changes)
    with pytest.raises(OSError, match="lost"):
        phone.sync()
    again = device("phone")  # after a crash
    assert [one["id"] for one, _ in again.sync()] == [wrong]
    assert again.sync() == []
    assert again.tasks().keys() == listed(client, user).keys() == {right}


def test_what_is_sent_again_when_its_key_is_forgotten_is_refused_or_the_same(
    device: Callable[[str], Any],
    client: LiveClient,
    user: LiveUser,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phone = device("phone")
    changed, done, gone = (phone.create(title=title) for title in ("Changed", "Done", "Gone"))
    phone.sync()
    phone.update(changed, title="Twice?")
    phone.complete(done)
    phone.delete(gone)
    made = phone.create(title="Made")
    ask = phone._ask

    def lose(path: str, *rest: Any) -> Any:
        ask(path, *rest)
        raise urllib.error.URLError("the connection was lost")

    monkeypatch.setattr(phone, "_ask", lose)
    with pytest.raises(OSError, match="lost"):
        phone.sync()
    before = listed(client, user)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    again = device("phone")
    refused = {one["id"]: code for one, code in again.sync()}
    assert refused == {changed: "revision-conflict", gone: "not-found"}
    assert again.tasks() == listed(client, user) == before
    assert before[made]["title"] == "Made"


def test_a_copy_that_is_too_old_starts_over_and_keeps_what_waits(
    device: Callable[[str], Any],
    client: LiveClient,
    user: LiveUser,
    database_url: str,
) -> None:
    phone, laptop = device("phone"), device("laptop")
    gone, stays = phone.create(title="Gone"), phone.create(title="Stays")
    phone.sync()
    laptop.sync()
    phone.delete(gone)
    phone.sync()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE deleted_tasks SET deleted_at = deleted_at - interval '31 days'")
        connection.execute("SELECT sweep_deleted_tasks(100)")
    laptop.update(stays, title="Waited")
    assert gone in laptop.tasks()
    assert laptop.sync() == []
    assert laptop.tasks() == listed(client, user)
    assert laptop.tasks()[stays]["title"] == "Waited"


def test_more_than_one_batch_is_sent_in_order(
    device: Callable[[str], Any], client: LiveClient, user: LiveUser
) -> None:
    phone = device("phone")
    ids = [phone.create(title=f"Task {number}", notes="é" * 4000) for number in range(130)]
    for task_id in ids[:3]:
        phone.update(task_id, title="changed")
    phone.delete(ids[0])
    assert phone.sync() == []
    assert phone.tasks() == listed(client, user)
    assert len(phone.tasks()) == 129
    by_revision = sorted(listed(client, user).values(), key=lambda task: task["revision"])
    assert [task["id"] for task in by_revision][:127] == ids[3:]


@pytest.mark.parametrize("seed", range(3))
def test_devices_that_do_anything_on_a_bad_network_agree_in_the_end(
    device: Callable[[str], Any],
    client: LiveClient,
    user: LiveUser,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(seed)
    devices = [device(str(number)) for number in range(3)]
    for one in devices:
        monkeypatch.setattr(one, "_ask", _unreliable(one._ask, chance))
    for _ in range(120):
        one = chance.choice(devices)
        known = list(one.tasks())
        what = chance.choice(("create", "update", "complete", "delete", "sync", "sync"))
        if what == "sync":
            try:
                one.sync()
            except OSError as error:
                assert "lost" in str(error)  # noqa: PT017 (a lost connection is a part of this)
        elif what == "create" or not known:
            one.create(title=f"{chance.random()}")
        elif what == "update":
            one.update(chance.choice(known), title=f"{chance.random()}")
        else:
            getattr(one, what)(chance.choice(known))
    monkeypatch.undo()
    for one in devices * 2:
        one.sync()
    assert all(one.tasks() == listed(client, user) for one in devices)


def _unreliable(ask: Callable[..., Any], chance: random.Random) -> Callable[..., Any]:
    def sometimes(*arguments: Any) -> Any:
        if chance.random() < 0.15:
            raise urllib.error.URLError("lost on the way there")
        answer = ask(*arguments)
        if chance.random() < 0.15:
            raise urllib.error.URLError("lost on the way back")
        return answer

    return sometimes


def test_it_needs_nothing_but_the_standard_library() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    imported = [
        line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))
    ]
    assert imported
    assert set(imported) <= sys.stdlib_module_names
