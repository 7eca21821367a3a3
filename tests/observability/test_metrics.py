"""The numbers for Prometheus: what counts as an event at the door."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from support.accounts import Account
from support.watched import Scan
from todo_api.app import create_app
from todo_api.observability.metrics import Metrics
from todo_api.settings.config import Config


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metrics]:
    """The counters of this process, which counts nothing again afterwards."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    with Metrics("127.0.0.1", 0) as made:
        made.take_slot(0)
        yield made


@pytest.fixture
def client(config: Config, metrics: Metrics, watched: Scan) -> Iterator[FlaskClient]:
    app = create_app(config, metrics)
    yield app.test_client()
    app.extensions["database"].close()
    app.extensions["hasher"].close()


def counted(metrics: Metrics) -> dict[str, float]:
    """How often each event was counted; those that were not are left out."""
    text = Client(metrics.page()).get("/metrics", base_url="http://localhost").text
    return {
        sample.labels["event"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "todo_api_auth_events_total" and sample.value
    }


def test_what_the_database_did_not_take_is_no_event(
    metrics: Metrics,
    client: FlaskClient,
    sign_up: Callable[..., Account],
    superuser: psycopg.Connection[None],
) -> None:
    """The database fails in the transaction that the event is stored in: the answer is 503."""
    ann = sign_up("ann@example.com")
    assert counted(metrics) == {"signup": 1}
    superuser.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"
    )
    superuser.execute(
        "CREATE TRIGGER full_disk BEFORE INSERT OR DELETE ON sessions EXECUTE FUNCTION full_disk()"
    )
    right = {"email": ann.email, "password": "correct horse battery"}
    new = right | {"email": "bob@example.com"}
    for answer in (
        client.post("/api/auth/login", json=right),
        client.post("/api/auth/signup", json=new),
        ann.post("/api/auth/logout"),
    ):
        assert answer.status_code == 503
    assert counted(metrics) == {"signup": 1}
    superuser.execute("DROP TRIGGER full_disk ON sessions")
    assert client.post("/api/auth/login", json=right).status_code == 200
    assert client.post("/api/auth/signup", json=new).status_code == 201
    assert ann.post("/api/auth/logout").status_code == 204
    assert counted(metrics) == {"signup": 2, "login": 1, "logout": 1}
    events = superuser.execute("SELECT event::text FROM auth_events ORDER BY event").fetchall()
    assert [event for (event,) in events] == ["login", "logout", "signup", "signup"]


def test_a_worker_that_is_just_making_its_files_fails_no_scrape(
    metrics: Metrics, sign_up: Callable[..., Account]
) -> None:
    sign_up("ann@example.com")
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    (folder / "counter_1.db").touch()
    (folder / "gauge_livesum_1.db").touch()
    assert counted(metrics) == {"signup": 1}
