"""/redoc: ReDoc in a browser."""

import pytest
from playwright.sync_api import Page, expect

from .chromium import Record, overflow

pytestmark = pytest.mark.programs


def test_it_shows_every_operation_of_the_document(page: Page, live_url: str) -> None:
    document = page.request.get(f"{live_url}/openapi.json").json()
    described = {
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in {"get", "put", "post", "patch", "delete"}
    }
    page.goto(f"{live_url}/redoc")
    page.locator('[id$="/operation/signup"]').wait_for()
    ids = page.locator('[id*="/operation/"]').evaluate_all("all => all.map(one => one.id)")
    assert page.title() == "Todo API"
    assert {one.split("/operation/")[1].split("/")[0] for one in ids} == described


def test_it_loads_from_this_server_alone_and_without_complaint(
    page: Page, live_url: str, record: Record
) -> None:
    page.goto(f"{live_url}/redoc")
    page.locator('[id$="/operation/signup"]').wait_for()
    for answer in page.locator("button[aria-expanded=false]").all():
        # dispatched, because a click in the middle may hit a link of the description
        answer.dispatch_event("click")
    expect(page.get_by_text("API docs by Redocly")).to_be_visible()
    assert f"{live_url}/openapi.json" in record.requests
    assert record.foreign(live_url) == []
    assert record.complaints == []


def test_its_policy_allows_no_inline_code_and_no_eval(page: Page, live_url: str) -> None:
    answer = page.goto(f"{live_url}/redoc")
    assert answer is not None
    policy = answer.header_value("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_its_styles_are_applied(page: Page, live_url: str) -> None:
    page.goto(f"{live_url}/redoc")
    menu = page.locator(".menu-content")
    expect(menu).to_be_visible()
    # A style that a script set: the policy has to let it.
    assert menu.evaluate("one => getComputedStyle(one).position") == "sticky"
    title = page.get_by_role("heading", name="Todo API").first
    assert title.evaluate("one => getComputedStyle(one).fontFamily").startswith("system-ui")


def test_its_search_finds_an_operation(page: Page, live_url: str, record: Record) -> None:
    page.goto(f"{live_url}/redoc")
    page.get_by_placeholder("Search...").press_sequentially("signup")
    found = page.get_by_role("search").locator('[data-item-id$="/operation/signup"]')
    expect(found).to_be_visible()
    assert record.complaints == []


def test_it_works_inside_a_frame_of_another_site(page: Page, live_url: str, record: Record) -> None:
    page.set_content(f'<iframe src="{live_url}/redoc" width="900" height="700"></iframe>')
    framed = page.frame_locator("iframe")
    expect(framed.get_by_role("heading", name="Todo API").first).to_be_visible()
    assert record.complaints == []


def test_it_fits_a_phone(phone: Page, live_url: str) -> None:
    phone.goto(f"{live_url}/redoc")
    phone.locator('[id$="/operation/signup"]').wait_for()
    assert overflow(phone) == 0
