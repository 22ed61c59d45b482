"""Screenshots of every page at both sizes, light and dark, for a person to look at.

    python -m tests.browser.looks FOLDER [ADDRESS]

Without an address the pages are drawn from the double.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from api.server.dashboard_build import DIST
from tests.browser.double import ROLES, Double, served

SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
PAGES = {
    "HOUSEHOLD": ("now", "trade", "statements", "statements?show=postings", "meter", "wallet"),
    "RETAILER": ("clients", "exposure", "prices"),
    "DSO": ("zones", "meters", "slots"),
    "OPERATOR": ("meters", "nodes", "ledger"),
    "REGULATOR": ("slots", "trades", "findings", "organisations"),
}


def launch(stack: ExitStack) -> Browser:
    """Debian's Chromium where there is one, else Playwright's own."""
    playwright = stack.enter_context(sync_playwright())
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox"]
    )
    stack.callback(browser.close)
    return browser


def become(page: Page, label: str) -> None:
    """Choose a persona in the header and wait for its pages."""
    page.get_by_label("Who you are").select_option(label=label)
    page.get_by_role("navigation").wait_for()


def settle(page: Page) -> None:
    """Wait until nothing is loading any more."""
    expect(page.locator(".skeleton")).to_have_count(0)


def look(folder: Path, address: str, browser: Browser) -> None:
    """Take all pictures of the market at `address`."""
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto(address)
            page.get_by_role("button", name="Make a wallet").wait_for()
            settle(page)
            page.screenshot(path=folder / f"landing-{size}-{scheme}.png", full_page=True)
            personas = context.request.get(f"{address}/demonstration/personas").json()
            for role in ROLES:
                persona = next(each for each in personas if each["role"] == role)
                option = page.locator(f"option[value='{persona['did']}']").first.inner_text()
                become(page, option)
                for name in PAGES[role]:
                    page.goto(f"{address}/#/{name}")
                    settle(page)
                    picture = f"{role.lower()}-{name.replace('?show=', '-')}-{size}-{scheme}.png"
                    page.screenshot(path=folder / picture, full_page=True)
            context.close()


def main() -> None:
    """Take the pictures and say where they are."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        address = sys.argv[2] if len(sys.argv) > 2 else stack.enter_context(served(Double(DIST)))
        look(folder, address, launch(stack))
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
