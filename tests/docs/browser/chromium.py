"""Headless Chromium for the browser tests, and a record of what a page did in it.

Playwright drives it: it reports every request and console message of a page by itself, it is
maintained by a company with monthly releases, and it is one Python package. Selenium would need a
second program of exactly the browser's version (chromedriver) and shows requests only through the
browser's debugging protocol. The browser is the system's own; Playwright downloads nothing.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but the loopback addresses resolves, so a leak can't leave the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
# Milliseconds; a busy machine of two cores needs patience, an idle one never waits so long.
PATIENCE = 60_000


def executable() -> str:
    """The path of the system's Chromium; raises FileNotFoundError when there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError(
        f"the browser tests need Chromium (apt install chromium): none of {', '.join(NAMES)} "
        "is on the PATH"
    )


@contextmanager
def launched(home: Path, *arguments: str) -> Iterator[Browser]:
    """Start Chromium with home as its home folder, and end it and its driver afterwards.

    The sandbox is off: it can't work for root or in most containers, and the browser sees only
    pages of this project. While it runs, asyncio.run() fails in the same thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(),
            args=[*QUIET, *arguments],
            chromium_sandbox=False,
            env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
            timeout=PATIENCE,
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Record:
    """What the pages of one browser context asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Record every request, console warning and error, script error and failed request."""
        context.on("request", lambda request: self.requests.append(request.url))
        context.on(
            "requestfailed",
            lambda request: self.complaints.append(f"failed: {request.url} {request.failure}"),
        )
        context.on(
            "console",
            lambda message: (
                self.complaints.append(f"{message.type}: {message.text}")
                if message.type in {"error", "warning"}
                else None
            ),
        )
        context.on("weberror", lambda error: self.complaints.append(f"thrown: {error.error}"))

    def foreign(self, origin: str) -> list[str]:
        """The requests that are neither the origin's nor data made by one of its pages."""
        own = (f"{origin}/", f"blob:{origin}/", "data:")
        return [url for url in self.requests if not url.startswith(own)]


@contextmanager
def context(browser: Browser, record: Record, width: int, height: int) -> Iterator[BrowserContext]:
    """A fresh profile with a window of that many CSS pixels, watched by record."""
    made = browser.new_context(viewport={"width": width, "height": height})
    made.set_default_timeout(PATIENCE)
    record.watch(made)
    try:
        yield made
    finally:
        made.close()


def overflow(page: Page) -> int:
    """By how many CSS pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wider
