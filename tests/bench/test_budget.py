"""No request makes many more Python calls than it did: a bound on speed that no machine changes.

What is counted, and why, is in calls.py. It is the same on every Python, on every PostgreSQL, on
partitions and through PgBouncer, give or take 0.3 %.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.postgres.pgbouncer import PgBouncer

from . import budget
from .calls import count_one
from .client import CALLS


@pytest.fixture(scope="module")
def counted(
    postgres: str, template: str, admin: psycopg.Connection[Any], pooler: PgBouncer | None
) -> Iterator[dict[str, int]]:
    """The Python calls of each kind of request."""
    admin.execute(f"CREATE DATABASE budget TEMPLATE {template}".encode())
    url = make_conninfo(postgres, dbname="budget")
    yield budget.count_in(
        pooler.url(url) if pooler else url,
        prepared_statements=pooler is None or pooler.prepares,
    )
    admin.execute("DROP DATABASE budget WITH (FORCE)")


@pytest.mark.parametrize("call", CALLS)
def test_a_request_keeps_to_its_budget(call: str, counted: dict[str, int]) -> None:
    complaint = budget.judge(call, counted[call], budget.read()[call])
    if complaint:
        pytest.fail(complaint, pytrace=False)


# --- the judge notices ---


@pytest.mark.parametrize("calls", [1151, 2000])
def test_a_request_that_grew_is_told_to_shrink_or_to_renew_the_budget(calls: int) -> None:
    complaint = budget.judge("get", calls, 1000) or ""
    assert complaint.startswith(f"get makes {calls} Python calls, ")
    assert budget.RENEW in complaint


@pytest.mark.parametrize("calls", [849, 1])
def test_a_request_that_shrank_is_asked_to_keep_the_gain(calls: int) -> None:
    complaint = budget.judge("get", calls, 1000) or ""
    assert complaint.startswith("Well done: ")
    assert budget.RENEW in complaint


@pytest.mark.parametrize("calls", [851, 1000, 1149])
def test_a_small_change_is_no_reason_to_complain(calls: int) -> None:
    assert budget.judge("get", calls, 1000) is None


# --- the counter counts ---


def calls_of(work: Callable[[], object]) -> int:
    def app(environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        work()
        return [b""]

    return count_one(app, {})


def nothing() -> None:
    pass


def calls_nothing(times: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(times):
            nothing()

    return work


def test_every_call_is_counted() -> None:
    assert calls_of(calls_nothing(70)) - calls_of(calls_nothing(20)) == 50
    assert calls_of(lambda: [len("ab") for _ in range(30)]) - calls_of(lambda: len("ab")) == 29


def test_what_the_standard_library_does_within_itself_is_not() -> None:
    assert calls_of(lambda: json.dumps([[1]] * 100, indent=1)) == calls_of(lambda: len("ab"))


def test_every_kind_of_request_has_a_budget() -> None:
    assert list(budget.read()) == list(CALLS)
