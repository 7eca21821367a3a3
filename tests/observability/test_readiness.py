"""Readiness: whether the schema is up to date."""


def test_readiness_turns_when_the_schema_is_not_up_to_date(client, superuser):
    superuser.execute("DELETE FROM applied_migrations WHERE id LIKE '0006%'")
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_readiness_turns_when_a_right_is_gone(client, superuser, caplog):
    superuser.execute("REVOKE SELECT ON applied_migrations FROM todo_app")
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable"})
    assert "not ready: InsufficientPrivilege in before_sign_in/applied_migrations" in caplog.text
    superuser.execute("GRANT SELECT ON applied_migrations TO todo_app")
    assert client.get("/health/ready").status_code == 200


def test_a_newer_schema_is_ready_too(client, superuser):
    superuser.execute(
        "INSERT INTO applied_migrations (id, checksum) VALUES ('9999.next', repeat('0', 64))"
    )
    assert client.get("/health/ready").status_code == 200
