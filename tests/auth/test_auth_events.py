"""What is recorded in auth_events, and what never is."""

import uuid

import pytest

pytestmark = pytest.mark.contract


@pytest.fixture
def events(superuser):
    """The events so far, oldest first, as dictionaries."""

    def events():
        cursor = superuser.execute(
            "SELECT event, reason, user_id::text, host(address) AS address, user_agent, request_id "
            "FROM auth_events ORDER BY id"
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return events


HEADERS = {"X-Request-ID": "the-request", "User-Agent": "curl/8"}
LOGIN = {"email": "ann@example.com", "password": "correct horse battery"}


def recorded(event, reason=None, user_id=None):
    return {
        "event": event,
        "reason": reason,
        "user_id": user_id,
        "address": "127.0.0.1",
        "user_agent": "curl/8",
        "request_id": "the-request",
    }


def test_signup_login_and_logout_are_recorded(client, events):
    data = client.post("/api/auth/signup", json=LOGIN, headers=HEADERS).json["data"]
    client.post("/api/auth/login", json=LOGIN, headers=HEADERS)
    token = {"Authorization": f"Bearer {data['access_token']}"}
    client.post("/api/auth/logout", headers=HEADERS | token)
    user = data["user_id"]
    assert events() == [
        recorded("signup", user_id=user), recorded("login", user_id=user), recorded("logout", user_id=user),
    ]  # fmt: skip


def test_refusals_are_recorded_with_the_user_if_known(client, ann, bob, events, superuser):
    superuser.execute("DELETE FROM auth_events")
    client.post("/api/auth/login", json=LOGIN | {"password": "wrong password"}, headers=HEADERS)
    client.post("/api/auth/login", json=LOGIN | {"email": "nobody@example.com"}, headers=HEADERS)
    client.post("/api/auth/signup", json=LOGIN, headers=HEADERS)
    ann.get(bob.tasks, headers=HEADERS)
    client.get(ann.tasks, headers=HEADERS | {"Authorization": "Bearer junk"})
    superuser.execute("DELETE FROM sessions")
    ann.get(ann.tasks, headers=HEADERS)
    assert events() == [
        recorded("login_refused", "wrong password", ann.id),
        recorded("login_refused", "unknown email"),
        recorded("signup_refused", "email taken"),
        recorded("foreign_user", None, ann.id),
        recorded("token_refused", "invalid"),
        recorded("token_refused", "session ended", ann.id),
    ]


def test_a_token_of_a_deleted_user_is_recorded_without_the_user(ann, events, superuser):
    superuser.execute("DELETE FROM users")
    assert ann.get(ann.tasks, headers=HEADERS).status_code == 401
    assert events()[-1] == recorded("token_refused", "session ended")


def test_a_rate_limit_hit_is_recorded(make_app, events):
    client = make_app(auth_rate_limit="1 per minute").test_client()
    for _ in range(2):
        client.post("/api/auth/login", json="x", headers=HEADERS)
    assert events() == [recorded("rate_limited", "auth.login")]


@pytest.mark.slow
def test_an_event_that_can_not_be_written_changes_no_answer(client, ann, superuser, caplog):
    with superuser.transaction():
        superuser.execute("LOCK TABLE auth_events")
        refused = client.get(ann.tasks, headers={"Authorization": "Bearer junk"})
    assert (refused.status_code, refused.json["code"]) == (401, "unauthorized")
    assert "auth event not recorded: token_refused" in caplog.messages


def test_no_password_and_no_token_is_ever_recorded(client, ann, superuser):
    client.post("/api/auth/login", json=LOGIN | {"password": "hunter2 hunter2"})
    client.get(ann.tasks, headers={"Authorization": f"Bearer {ann.token}x"})
    ann.post("/api/auth/logout")
    everything = str(superuser.execute("SELECT to_jsonb(e) FROM auth_events AS e").fetchall())
    for secret in ("hunter2", "correct horse", ann.token, "Bearer"):
        assert secret not in everything


@pytest.mark.parametrize(
    "agent", ["", "x" * 5000, "a\x00b", "\xff\xfe", "'; DROP TABLE auth_events"]
)
def test_any_user_agent_can_be_recorded(client, agent, events):
    answer = client.post(
        "/api/auth/signup", json=LOGIN, environ_overrides={"HTTP_USER_AGENT": agent}
    )
    assert answer.status_code == 201
    [event] = events()
    assert event["user_agent"] == (agent.replace("\0", "")[:256] or None)


FLOODS = {
    "refused tokens": lambda ann, bob: ann.client.get(
        ann.tasks, headers={"Authorization": "Bearer x"}
    ),
    "foreign users": lambda ann, bob: ann.get(bob.tasks),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_leaves_at_most_60_rows_a_minute_from_one_address(
    ann, bob, flood, events, superuser
):
    superuser.execute("DELETE FROM auth_events")
    statuses = {flood(ann, bob).status_code for _ in range(70)}
    assert statuses <= {401, 403}
    assert len(events()) == 60
    ann.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    flood(ann, bob)
    assert len(events()) == 61  # another address has room of its own
    superuser.execute("UPDATE auth_events SET occurred_at = now() - interval '61 s'")
    ann.client.environ_base["REMOTE_ADDR"] = "127.0.0.1"
    flood(ann, bob)
    assert len(events()) == 62


def test_a_flood_does_not_keep_sign_ins_from_being_recorded(client, ann, events):
    for _ in range(65):
        client.get(ann.tasks, headers={"Authorization": "Bearer x"})
    client.post("/api/auth/login", json=LOGIN)
    assert events()[-1]["event"] == "login"


def test_a_flood_of_refusals_does_not_keep_what_users_do_from_being_recorded(client, ann, events):
    for _ in range(65):
        client.get(ann.tasks, headers={"Authorization": "Bearer x"})
    client.post("/api/auth/login", json=LOGIN)
    ann.token = ann.post("/api/auth/renew").json["data"]["access_token"]
    made = ann.post(f"/api/{ann.id}/tokens", json={"name": "script", "scope": "read"}).json["data"]
    ann.delete(f"/api/{ann.id}/tokens/{made['id']}")
    [other] = [
        one["id"]
        for one in ann.get(f"/api/{ann.id}/sessions").json["data"]
        if not one["is_current"]
    ]
    ann.delete(f"/api/{ann.id}/sessions/{other}")
    client.post("/api/auth/login", json=LOGIN)
    ann.delete(f"/api/{ann.id}/sessions")
    names = [event["event"] for event in events()]
    assert names[60:] == [
        "login",
        "renewal",
        "token_created",
        "token_ended",
        "session_ended",
        "login",
        "sessions_ended",
    ]


def test_addresses_of_one_ipv6_network_share_their_room(client, ann, events, superuser):
    superuser.execute("DELETE FROM auth_events")
    for number in range(70):
        client.environ_base["REMOTE_ADDR"] = f"2001:db8:0:1::{number:x}"
        client.get(ann.tasks, headers={"Authorization": "Bearer x"})
    assert len(events()) == 60


def test_a_request_without_a_token_is_no_event(client, events):
    client.get(f"/api/{uuid.uuid4()}/tasks")
    assert events() == []
