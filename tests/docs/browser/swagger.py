"""What a person does in Swagger UI: open an operation, fill it in, execute it, authorize."""

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect


def operation(page: Page, method: str, path: str) -> Locator:
    """The operation's block, unfolded."""
    block = page.locator(f".opblock-{method.lower()}").filter(
        has=page.locator(f'[data-path="{path}"]')
    )
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Execute", exact=True).wait_for()
    return block


def execute(
    block: Locator, body: dict[str, Any] | None, expected: int, **path: str
) -> dict[str, Any]:
    """Send the operation with a JSON body, if any, and path parameters; the shown answer, once it came."""
    for name, value in path.items():
        block.locator(f'tr[data-param-name="{name}"] input').fill(value)
    if body is not None:
        block.locator("textarea.body-param__text").fill(json.dumps(body))
    block.get_by_role("button", name="Execute", exact=True).click()
    answer = block.locator(".live-responses-table tr.response")
    expect(answer.locator(".response-col_status")).to_contain_text(str(expected))
    shown: dict[str, Any] = json.loads(answer.locator("code.language-json").inner_text())
    return shown


def authorize(page: Page, token: str) -> None:
    """Give the token to the Authorize dialog and close it."""
    page.locator(".auth-wrapper .authorize").click()
    dialog = page.locator(".dialog-ux")
    # the first of two: a session's token, before an API token
    dialog.locator("input").first.fill(token)
    dialog.get_by_role("button", name="Apply credentials").first.click()
    dialog.get_by_role("button", name="Remove authorization").wait_for()
    dialog.locator(".btn-done").first.click()
    dialog.wait_for(state="detached")
