"""Users and their calls without HTTP: what the service itself sends, through its own way to the database."""

import uuid
from typing import Any

from todo_api.auth import api_tokens
from todo_api.database.calls import ApiClient, Call, SignedIn
from todo_api.database.data import Database
from todo_api.tasks.parameters import of_change, of_new_task
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskChange, TaskCreate

HASH = "$2b$04$" + "a" * 53


def sign_up(database: Database, *more: Call) -> SignedIn:
    """A new user with a session, in one request with `more`. The address is the user's id @example.com."""
    who = SignedIn(str(uuid.uuid4()), str(uuid.uuid4()))
    account = {
        "user_id": who.user_id,
        "email": f"{who.user_id}@example.com",
        "password_hash": HASH,
    }
    database.before_sign_in(
        Call("before_sign_in/create_user", account),
        Call("tasks/open_counter"),
        session(who.session_id, lifetime=3600),
        *more,
        user_id=who.user_id,
    )
    return who


TURN = Call("users/take_turn")


def session(session_id: str, *, lifetime: int = 60) -> Call:
    """What starts a session."""
    values = {"session_id": session_id, "lifetime": lifetime}
    return Call("sessions/create", values | {"address": "192.0.2.1", "user_agent": None})


def _new(title: str, max_tasks: int) -> dict[str, Any]:
    quotas = {"MAX_TASKS_PER_USER": max_tasks, "MAX_TEXT_PER_USER": 1_000_000}
    return of_new_task(TaskCreate(title), quotas)


def create(title: str = "Buy oat milk", max_tasks: int = 100) -> Call:
    return Call("tasks/create", _new(title, max_tasks), as_task)


def update(task_id: str, **changed: Any) -> Call:
    values = of_change(TaskChange(**changed), {"MAX_TEXT_PER_USER": 1_000_000})
    return Call("tasks/update", values | {"task_id": task_id}, _task_after_refusal)


def delete(task_id: str) -> Call:
    return Call("tasks/delete", {"task_id": task_id, "if_revision": None, "max_deletions": 100})


def _task_after_refusal(refusal: str | None, *columns: Any) -> Task:
    assert refusal is None
    return as_task(*columns)


def create_once(
    key: str, title: str = "Buy oat milk", max_tasks: int = 100, max_keys: int = 100
) -> tuple[Call, ...]:
    """What a create with a key is."""
    values = _new(title, max_tasks) | {
        "key": key,
        "request_hash": "00" * 32,
        "new_id": None,
        "other_keys": max_keys - 1,
        "max_answers": 1_000_000,
    }
    return (
        Call("users/take_turn"),
        Call("idempotency_keys/delete_expired", {"key": key}),
        Call("tasks/create_once", values),
    )


def kept(key: str, task_id: str) -> Call:
    """A change of nothing in a batch, stored for a key."""
    values = of_change(TaskChange(), {"MAX_TEXT_PER_USER": 1_000_000})
    return Call("batches/update", values | {"task_id": task_id, "key": key, "place": 0})


def with_token(database: Database, who: SignedIn, scope: str = "read") -> ApiClient:
    """A new API token of the user, and the event of its creation."""
    client = api_tokens.client_of(api_tokens.make(who.user_id, may_write=scope == "write"))
    assert client
    values = {
        "session_id": who.session_id,
        "token_id": client.token_id,
        "name": "Nightly report",
        "scope": scope,
        "expires_in_days": 90,
        "other_tokens": 49,
    }
    recorded = event(event="token_created")
    del recorded["bounded"]
    database.as_user(who, Call("api_tokens/create", values | recorded))
    return client


def logout(who: SignedIn) -> Call:
    return Call("sessions/end", {"session_id": who.session_id})


def event(address: str = "192.0.2.1", **changed: Any) -> dict[str, Any]:
    return {
        "event": "token_refused",
        "reason": None,
        "address": address,
        "user_agent": None,
        "request_id": "r",
        "bounded": True,
    } | changed
