"""Fifty at once want the same: one gets it, the others are told so, and nothing breaks.

RACE_ROUNDS=20 races longer than the usual 3 rounds each.
"""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from resilience.conftest import AT_ONCE
from support.live_service import LiveClient, LiveService, LiveUser, Reply

QUOTA = 7
ROUNDS = int(os.environ.get("RACE_ROUNDS", "3"))


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"WORKERS": "2", "MAX_TASKS_PER_USER": str(QUOTA)}


@pytest.fixture
def ann(service: LiveService, client: LiveClient) -> LiveUser:
    return service.sign_up(client)


@pytest.fixture
def count(service: LiveService) -> Iterator[Callable[..., int]]:
    """Counts rows behind the service's back."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:

        def count(table: str, column: str, value: str) -> int:
            query = f"SELECT count(*) FROM {table} WHERE {column} = %s"
            return int(connection.execute(query, [value]).fetchall()[0][0])

        yield count


def statuses(found: list[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in found)


def test_of_the_same_signup_one_wins(at_once: Any, count: Callable[..., int], figure: Any) -> None:
    for _ in range(ROUNDS):
        name = uuid.uuid4().hex
        body = {"password": "correct horse battery"}

        def sign_up(client: LiveClient, number: int, name: str = name, body: Any = body) -> Reply:
            email = f"{name if number % 2 else name.upper()}@example.com"
            return client.ask("POST", "/api/auth/signup", body | {"email": email})

        assert statuses(at_once(sign_up)) == {201: 1, 409: AT_ONCE - 1}
        assert count("users", "email", f"{name}@example.com") == 1
    figure(
        17,
        f"{AT_ONCE} at once, the same signup, {ROUNDS} rounds: winners a round",
        "1, the others 409",
    )


def test_a_task_is_completed_once(
    at_once: Any, service: LiveService, client: LiveClient, ann: LiveUser, figure: Any
) -> None:
    for _ in range(ROUNDS):
        task = service.add(client, ann)
        found = at_once(
            lambda one, _, path=f"{task}/complete": one.ask("PATCH", path, token=ann.token)
        )
        assert statuses(found) == {200: AT_ONCE}
        assert len({reply.json["data"]["completed_at"] for reply in found}) == 1
        assert len({reply.json["data"]["updated_at"] for reply in found}) == 1
        assert client.ask("DELETE", task, token=ann.token).status == 204
    figure(17, f"{AT_ONCE} at once, complete, {ROUNDS} rounds: times of completion a task", "1")


def test_a_task_is_deleted_once(
    at_once: Any, service: LiveService, client: LiveClient, ann: LiveUser, figure: Any
) -> None:
    for _ in range(ROUNDS):
        task = service.add(client, ann)
        found = at_once(lambda one, _, path=task: one.ask("DELETE", path, token=ann.token))
        assert statuses(found) == {204: 1, 404: AT_ONCE - 1}
    figure(17, f"{AT_ONCE} at once, delete, {ROUNDS} rounds: winners a round", "1, the others 404")


def test_the_last_place_of_the_quota_is_taken_once(
    at_once: Any,
    service: LiveService,
    client: LiveClient,
    ann: LiveUser,
    count: Callable[..., int],
    figure: Any,
) -> None:
    places = [service.add(client, ann) for _ in range(QUOTA)]
    for _ in range(ROUNDS):
        assert client.ask("DELETE", places.pop(), token=ann.token).status == 204
        body = {"title": "The last"}
        found = at_once(lambda one, _, body=body: one.ask("POST", ann.tasks, body, token=ann.token))
        assert statuses(found) == {201: 1, 409: AT_ONCE - 1}
        assert count("tasks", "user_id", ann.id) == QUOTA
        [won] = [reply for reply in found if reply.status == 201]
        places.append(won.headers["Location"])
    figure(
        17,
        f"{AT_ONCE} at once, the quota's last place, {ROUNDS} rounds: winners a round",
        "1, the others 409",
    )


def test_whatever_races_with_a_logout_is_done_before_it_or_refused(
    at_once: Any, service: LiveService, client: LiveClient, count: Callable[..., int]
) -> None:
    for _ in range(ROUNDS):
        user = service.sign_up(client)

        def act(one: LiveClient, number: int, user: LiveUser = user) -> Reply:
            if number % 10 == 0:
                return one.ask("POST", "/api/auth/logout", token=user.token)
            return one.ask("POST", user.tasks, {"title": "x"}, token=user.token)

        found = statuses(at_once(act))
        assert found.keys() <= {201, 204, 401, 409}
        assert found[204] >= 1
        assert count("tasks", "user_id", user.id) == found[201]
        assert client.ask("GET", user.tasks, token=user.token).status == 401
