"""Fixtures of the browser tests: one Chromium for each module, a fresh profile for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .chromium import PATIENCE, Record, context, launched

expect.set_options(timeout=PATIENCE)


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
    with context(browser, record, 375, 812) as opened:
        yield opened.new_page()
