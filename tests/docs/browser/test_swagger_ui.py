"""/docs: Swagger UI in a browser."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from .chromium import Record, overflow
from .swagger import authorize, execute, operation

pytestmark = pytest.mark.programs

SIGNUP = '[data-path="/api/auth/signup"]'


def test_it_shows_every_operation_of_the_document(page: Page, live_url: str) -> None:
    document = page.request.get(f"{live_url}/openapi.json").json()
    described = {
        (method, path)
        for path, item in document["paths"].items()
        for method in item.keys() & {"get", "put", "post", "patch", "delete"}
    }
    page.goto(f"{live_url}/docs")
    page.locator(SIGNUP).wait_for()
    shown = {
        (block.locator(".opblock-summary-method").inner_text().lower(), path)
        for block in page.locator(".opblock").all()
        if (path := block.locator("[data-path]").get_attribute("data-path"))
    }
    assert page.title() == "Todo API"
    assert shown == described


def test_it_loads_from_this_server_alone_and_without_complaint(
    page: Page, live_url: str, record: Record
) -> None:
    page.goto(f"{live_url}/docs")
    # all() doesn't wait: before this the page may have no operation to unfold
    page.locator(SIGNUP).wait_for()
    for toggle in page.locator(".opblock-summary-control").all():
        toggle.click()
    page.get_by_role("button", name="Execute", exact=True).first.wait_for()
    assert f"{live_url}/openapi.json" in record.requests
    assert record.foreign(live_url) == []
    assert record.complaints == []


def test_its_policy_allows_no_inline_code_and_no_eval(page: Page, live_url: str) -> None:
    answer = page.goto(f"{live_url}/docs")
    assert answer is not None
    policy = answer.header_value("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_a_person_signs_up_authorizes_and_creates_a_task(
    page: Page, live_url: str, record: Record
) -> None:
    page.goto(f"{live_url}/docs")

    signup = operation(page, "POST", "/api/auth/signup")
    credentials = {"email": f"{uuid.uuid4()}@example.org", "password": "correct horse battery"}
    account = execute(signup, credentials, 201)["data"]
    authorize(page, account["access_token"])
    create = operation(page, "POST", "/api/{user_id}/tasks")
    task = execute(create, {"title": "Água às 🌱"}, 201, user_id=account["user_id"])["data"]

    assert task["title"] == "Água às 🌱"
    assert task["user_id"] == account["user_id"]
    expect(create.locator(".response-col_description").first).to_be_visible()
    expect(create.get_by_text("Request duration")).to_be_visible()
    assert record.foreign(live_url) == []
    assert record.complaints == []


def test_nothing_is_filled_in_so_that_two_creates_make_two_tasks(page: Page, live_url: str) -> None:
    page.goto(f"{live_url}/docs")
    signup = operation(page, "POST", "/api/auth/signup")
    credentials = {"email": f"{uuid.uuid4()}@example.org", "password": "correct horse battery"}
    account = execute(signup, credentials, 201)["data"]
    authorize(page, account["access_token"])
    create = operation(page, "POST", "/api/{user_id}/tasks")
    execute(create, {"title": "one"}, 201, user_id=account["user_id"])
    execute(create, {"title": "two"}, 201, user_id=account["user_id"])
    answer = create.locator(".live-responses-table tr.response")
    expect(answer.locator("code.language-json")).to_contain_text('"two"')
    listing = operation(page, "GET", "/api/{user_id}/tasks")
    fields = listing.locator("tr[data-param-name] input")
    assert fields.evaluate_all("all => all.map(one => one.value)") == [""] * fields.count()
    assert fields.count() > 3
    listed = execute(listing, None, 200, user_id=account["user_id"])
    assert [task["title"] for task in listed["data"]] == ["two", "one"]


def test_a_reload_forgets_the_token(page: Page, live_url: str) -> None:
    page.goto(f"{live_url}/docs")
    authorize(page, "a-token")
    expect(page.locator(".auth-wrapper .authorize.locked")).to_be_visible()
    page.reload()
    expect(page.locator(".auth-wrapper .authorize.unlocked")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_a_deep_link_unfolds_its_operation(page: Page, live_url: str, record: Record) -> None:
    path = "/api/{user_id}/tasks"
    page.goto(f"{live_url}/docs")
    operation(page, "POST", path)
    link = page.url
    assert "#/" in link
    page.goto("about:blank")
    page.goto(link)
    opened = page.locator(".opblock-post.is-open")
    expect(opened.locator(f'[data-path="{path}"]')).to_be_visible()
    # Swagger UI complains about an underscore in an operation's id or its tag here.
    assert record.complaints == []


def test_it_works_inside_a_frame_of_another_site(page: Page, live_url: str, record: Record) -> None:
    page.set_content(f'<iframe src="{live_url}/docs" width="900" height="700"></iframe>')
    framed = page.frame_locator("iframe")
    expect(framed.locator(SIGNUP)).to_be_visible()
    assert record.complaints == []


def test_it_fits_a_phone(phone: Page, live_url: str) -> None:
    phone.goto(f"{live_url}/docs")
    signup = operation(phone, "POST", "/api/auth/signup")
    assert overflow(phone) == 0
    example = signup.locator(".responses-table code.language-json").first
    box = example.bounding_box()
    assert box is not None
    # most of the 390 pixels, not the third that a column of Swagger UI's table leaves
    assert box["width"] > 250


def test_the_bar_leads_to_pages_that_exist(page: Page, live_url: str) -> None:
    page.goto(f"{live_url}/docs")
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_count(4)
    for address in links.evaluate_all("all => all.map(one => one.href)"):
        assert page.request.get(address).status == 200, address
