"""The quotas of tasks and of text, while many writers of one user do everything at once."""

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from support.copies import Crowd, asking, contradictions

pytestmark = pytest.mark.slow
WRITERS, ENOUGH = 8, 400
TASKS, TEXT = 10, 300

# At each commit; a service that goes beyond a quota answers 500, which no writer takes.
_GUARD = f"""
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF (SELECT count(*) > {TASKS} OR sum(octet_length(title) + coalesce(octet_length(notes), 0)
            + octet_length(array_to_string(tags, ''))) > {TEXT} FROM public.tasks)
        THEN RAISE EXCEPTION 'beyond a quota'; END IF;
        PERFORM pg_catalog.pg_sleep(random() * 0.002);
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER guard AFTER INSERT OR UPDATE ON tasks
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard()
"""


def test_no_quota_is_exceeded_at_any_moment_and_all_of_it_can_be_used(
    make_app: Callable[..., Flask], superuser: psycopg.Connection
) -> None:
    superuser.execute(_GUARD)
    app = make_app(threads=WRITERS + 2, max_tasks_per_user=TASKS, max_text_per_user=TEXT)
    user = Account(app.test_client(), "ann@example.com", "correct horse battery")
    asks = [asking(app, user) for _ in range(WRITERS + 1)]
    crowd = Crowd(asks, writers=WRITERS)
    crowd.log.fine = (404, 409, 429)  # the answers that keys keep have a bound too
    with crowd:
        crowd.wait_for(ENOUGH)
    crowd.read_to_the_end()
    listed = user.get(user.tasks).json["data"]
    assert contradictions(crowd.log, crowd.readers, superuser, user.id, listed) == []
    assert crowd.log.refused > 0
    for task in listed:
        assert user.delete(user.path_of(task)).status_code == 204
    made = [user.post(user.tasks, json={"title": "x" * 30}).status_code for _ in range(TASKS + 1)]
    assert made == [201] * TASKS + [409]
