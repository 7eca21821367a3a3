"""A refusal leaves the connection that it came over as good as it was.

Each pair of calls is made more often than it takes psycopg, left to itself, to prepare a statement.
"""

from collections import Counter

import pytest

pytestmark = pytest.mark.contract
TIMES = 12


def test_signing_up_works_after_addresses_that_are_taken(client, ann):
    seen = Counter()
    for number in range(TIMES):
        for email in (ann.email, f"ann-{number}@example.com"):
            body = {"email": email, "password": "correct horse battery"}
            seen[email == ann.email, client.post("/api/auth/signup", json=body).status_code] += 1
    assert seen == {(True, 409): TIMES, (False, 201): TIMES}


@pytest.mark.slow
def test_the_living_are_served_after_sessions_that_have_ended(sign_up, ann):
    seen = Counter()
    for _ in range(TIMES):
        gone = sign_up()
        assert gone.post("/api/auth/logout").status_code == 204
        seen["gone", gone.get(gone.tasks).status_code] += 1
        seen["gone", gone.post(gone.tasks, json={"title": "x"}).status_code] += 1
        seen["ann", ann.get(ann.tasks).status_code] += 1
        seen["ann", ann.post(ann.tasks, json={"title": "x"}).status_code] += 1
    assert seen == {
        ("gone", 401): 2 * TIMES,
        ("ann", 200): TIMES,
        ("ann", 201): TIMES,
    }
