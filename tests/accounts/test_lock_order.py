"""A deletion of the account locks what requests lock first, so that nobody waits in a circle with it."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from support.waiting import until

PASSWORD = "correct horse battery"
WAITING = (
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
def while_held(database_url, superuser):
    """Runs a call while rows that it needs are locked; what is free meanwhile; and its answer after that."""

    def while_held(lock, call, others):
        with (
            psycopg.connect(database_url) as holder,
            ThreadPoolExecutor(1) as thread,
        ):
            holder.execute(lock)
            answer = thread.submit(call)
            until(lambda: superuser.execute(WAITING).fetchone() == (True,))
            free = []
            for other in others:
                try:
                    with superuser.transaction(force_rollback=True):
                        superuser.execute(other)
                    free.append(other)
                except psycopg.errors.LockNotAvailable:
                    pass
            holder.rollback()
            return free, answer.result().status_code

    return while_held


def delete_account(account):
    body = {"current_password": PASSWORD}
    return lambda: account.post(f"/api/{account.id}/deletion", json=body)


USER = "SELECT FROM users FOR KEY SHARE NOWAIT"  # as a foreign key asks for it
COUNT = "SELECT FROM task_counts FOR UPDATE NOWAIT"
TASK = "SELECT FROM tasks FOR UPDATE NOWAIT"


def test_it_waits_for_a_session_that_somebody_ends_before_it_locks_anything_else(ann, while_held):
    ann.add()
    held = "SELECT FROM sessions FOR UPDATE"
    others = [USER, COUNT, TASK]
    assert while_held(held, delete_account(ann), others) == (others, 204)


def test_it_waits_for_the_counter_before_it_locks_tasks_and_user(ann, while_held):
    ann.add()
    held = "SELECT FROM task_counts FOR UPDATE"
    assert while_held(held, delete_account(ann), [USER, TASK]) == ([USER, TASK], 204)


def test_the_deletion_of_a_task_waits_for_the_counter_before_it_locks_the_task(ann, while_held):
    path = ann.path_of(ann.add())
    held = "SELECT FROM task_counts FOR UPDATE"
    assert while_held(held, lambda: ann.delete(path), [TASK]) == ([TASK], 204)


def test_it_waits_for_the_user_s_turn_before_it_locks_anything(ann, while_held):
    ann.add()
    turn = "SELECT pg_advisory_xact_lock(hashtextextended(user_id::text, 0::bigint)) FROM users"
    others = [USER, COUNT, TASK, "SELECT FROM sessions FOR UPDATE NOWAIT"]
    assert while_held(turn, delete_account(ann), others) == (others, 204)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("PUT password", {"current_password": PASSWORD, "new_password": "a longer staple"}),
        ("PUT email", {"current_password": PASSWORD, "email": "ann@example.net"}),
    ],
)
def test_so_does_a_change_of_password_or_address(ann, while_held, name, body):
    method, what = name.split()
    turn = "SELECT pg_advisory_xact_lock(hashtextextended(user_id::text, 0::bigint)) FROM users"
    others = ["SELECT FROM users FOR UPDATE NOWAIT", "SELECT FROM sessions FOR UPDATE NOWAIT"]
    free, status = while_held(
        turn, lambda: ann.call(method, f"/api/{ann.id}/{what}", json=body), others
    )
    assert (free, status < 300) == (others, True)


def test_whoever_adds_a_row_for_a_user_who_goes_meanwhile_is_401(ann, database_url, superuser):
    """The foreign key finds it out, after the session was looked at."""
    with psycopg.connect(database_url) as dba, ThreadPoolExecutor(1) as thread:
        dba.execute("DELETE FROM users")
        answer = thread.submit(lambda: ann.post(ann.tasks, json={"title": "x"}))
        until(lambda: superuser.execute(WAITING).fetchone() == (True,))
        dba.commit()
        said = answer.result()
    assert (said.status_code, said.json["code"]) == (401, "unauthorized")
    events = superuser.execute("SELECT event, user_id FROM auth_events").fetchall()
    assert events == [("token_refused", None)]


def test_a_refusal_of_a_user_who_goes_meanwhile_is_recorded_without_the_user(
    ann, client, database_url, superuser
):
    with psycopg.connect(database_url) as dba, ThreadPoolExecutor(1) as thread:
        dba.execute("DELETE FROM users")
        body = {"email": ann.email, "password": "not the password"}
        answer = thread.submit(lambda: client.post("/api/auth/login", json=body))
        until(lambda: superuser.execute(WAITING).fetchone() == (True,))
        dba.commit()
        assert answer.result().status_code == 401
    events = superuser.execute("SELECT event, user_id FROM auth_events").fetchall()
    assert events == [("login_refused", None)]


def test_a_login_to_an_account_that_goes_meanwhile_is_401(ann, client, database_url, superuser):
    with psycopg.connect(database_url) as dba, ThreadPoolExecutor(1) as thread:
        dba.execute("DELETE FROM users")
        body = {"email": ann.email, "password": PASSWORD}
        answer = thread.submit(lambda: client.post("/api/auth/login", json=body))
        until(lambda: superuser.execute(WAITING).fetchone() == (True,))
        dba.commit()
        said = answer.result()
    assert (said.status_code, said.json["code"]) == (401, "invalid-credentials")
