"""Fixtures of the browser tests: one Chromium for each module, a fresh profile for each test."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from psycopg.conninfo import make_conninfo

from support.live_service import live_service

from .chromium import PATIENCE, Record, context, launched

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def live_url(
    postgres: str,
    template: str,
    admin: psycopg.Connection[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of the real service, without a slash at the end."""
    admin.execute(f"CREATE DATABASE browser TEMPLATE {template}")
    url = make_conninfo(postgres, dbname="browser")
    with live_service(url, tmp_path_factory.mktemp("service")) as service:
        yield service.url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A running Chromium. Of the module and not of the run: it blocks asyncio.run() meanwhile."""
    with launched(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def record() -> Record:
    """What the test's pages asked for and complained about."""
    return Record()


@pytest.fixture
def page(browser: Browser, record: Record) -> Iterator[Page]:
    """A page of 1280 by 900 CSS pixels."""
    with context(browser, record, 1280, 900) as opened:
        yield opened.new_page()


@pytest.fixture
def phone(browser: Browser, record: Record) -> Iterator[Page]:
    """A page of a phone's size."""
    with context(browser, record, 390, 844) as opened:
        yield opened.new_page()
