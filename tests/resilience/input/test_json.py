"""What is JSON and what is not, on every route that takes a body: RFC 8259, and duplicate keys refused."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from resilience.input import json_cases
from support.live_service import LiveClient, LiveService

ROUTES = ["signup", "login", "create", "update", "batch"]
MAX_BODY = dict.fromkeys(ROUTES, 64 * 1024) | {"batch": 512 * 1024}
Send = Callable[[str, bytes], int]


@pytest.fixture
def send(service: LiveService, client: LiveClient) -> Send:
    """Sends a body to a route; the status."""
    user = service.sign_up(client)
    calls = {
        "signup": ("POST", "/api/auth/signup"),
        "login": ("POST", "/api/auth/login"),
        "create": ("POST", user.tasks),
        "update": ("PUT", service.add(client, user)),
        "batch": ("POST", f"{user.tasks}/batch"),
    }

    def send(route: str, body: bytes) -> int:
        method, path = calls[route]
        return client.ask(method, path, body, token=user.token).status

    return send


def statuses(send: Send, route: str, cases: dict[str, bytes]) -> dict[str, int]:
    return {name: send(route, body) for name, body in cases.items()}


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_not_json_is_400(send: Send, route: str, figure: Any) -> None:
    cases = json_cases.malformed()
    found = statuses(send, route, cases)
    expected = {name: 413 if len(body) > MAX_BODY[route] else 400 for name, body in cases.items()}
    assert found == expected
    seen = Counter(found.values())
    figure(1, f"malformed JSON: {route}", f"400: {seen[400]}, 413 (too large): {seen[413]}")


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_json_is_read_as_json(send: Send, route: str, figure: Any) -> None:
    cases = {name: body for name, body in json_cases.well_formed().items() if has_keys_once(body)}
    found = statuses(send, route, cases)
    assert set(found.values()) <= {200, 201, 422}
    figure(1, f"well-formed JSON read: {route}", f"{len(found)} of {len(cases)}, never 400")


@pytest.mark.parametrize("route", ROUTES)
def test_what_readers_may_treat_as_they_like_is_refused_and_never_an_error(
    send: Send, route: str, figure: Any
) -> None:
    found = statuses(send, route, json_cases.undefined())
    assert set(found.values()) <= {400, 413, 422}
    seen = ", ".join(
        f"{status}: {count}" for status, count in sorted(Counter(found.values()).items())
    )
    figure(1, f"JSON that readers may treat as they like: {route}", seen)


def has_keys_once(body: bytes) -> bool:
    """Duplicate keys are JSON to the grammar, and 400 by the contract."""
    seen_twice = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen_twice.append(len(dict(pairs)) < len(pairs))

    json.loads(body, object_pairs_hook=look)
    return not any(seen_twice)
