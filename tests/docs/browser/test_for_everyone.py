"""The pages in light and dark, wide and narrow, and as axe-core sees them for those who can't see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .chromium import PATIENCE, overflow

pytestmark = pytest.mark.programs

AXE = Path(__file__).parents[1] / "clients" / "node_modules" / "axe-core" / "axe.min.js"
# What has to be there before a page is complete.
PAGES = {
    "docs": '[data-path="/api/auth/signup"]',
    "redoc": '[id$="/operation/signup"]',
    "problems": "#unavailable",
}
# What Swagger UI does by itself, on its page alone: only a change of its code could mend that.
SWAGGER_UI = {
    "color-contrast": "the colours of its methods, buttons, links and numbers are its own",
    "nested-interactive": "the button that unfolds a call has the call's link in it",
}


@contextmanager
def opened(browser: Browser, address: str, scheme: Any, width: int) -> Iterator[Page]:
    """A page of the documentation, complete. Its policy is off, since it would keep axe-core out too."""
    made = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    made.set_default_timeout(PATIENCE)
    try:
        page = made.new_page()
        page.goto(address)
        page.locator(PAGES[address.rpartition("/")[2]]).first.wait_for()
        yield page
    finally:
        made.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(
    browser: Browser, live_url: str, name: str, scheme: str, width: int
) -> None:
    assert AXE.exists(), f"axe-core is missing: npm ci --ignore-scripts --prefix {AXE.parents[2]}"
    with opened(browser, f"{live_url}/{name}", scheme, width) as page:
        if name == "docs":
            page.locator(".opblock-summary-control").first.click()
            page.locator(".opblock .execute").wait_for()
        if name == "redoc":
            for answer in page.locator("button[aria-expanded=false]").all()[:5]:
                answer.dispatch_event("click")
            # which unfolds the menu where it is shown
            page.locator('[id$="/operation/createTask"]').first.scroll_into_view_if_needed()
        assert overflow(page) == 0
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        nodes = {rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]] for rule in found}
        if name == "docs":
            # ours are the bar above, and the page around it
            ours = page.evaluate("axe.run({exclude: ['#swagger-ui']})")["violations"]
            assert ours == []
            assert {rule: nodes[rule] for rule in nodes.keys() - SWAGGER_UI.keys()} == {}
        else:
            assert nodes == {}


@pytest.mark.parametrize("name", PAGES)
def test_it_is_as_dark_as_the_browser_wants_it(browser: Browser, live_url: str, name: str) -> None:
    ground = "[document.body, document.documentElement].map(one => getComputedStyle(one).backgroundColor)"
    text = "main p, .information-container p, .api-info p"
    with opened(browser, f"{live_url}/{name}", "dark", 1280) as page:
        assert set(page.evaluate(ground)) <= {"rgb(28, 32, 34)", "rgba(0, 0, 0, 0)"}
        expect(page.locator(text).first).to_have_css("color", "rgb(228, 230, 230)")
        page.emulate_media(color_scheme="light")
        page.wait_for_function(
            "getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'"
        )
        page.locator(PAGES[name]).first.wait_for()
        expect(page.locator(text).first).not_to_have_css("color", "rgb(228, 230, 230)")
