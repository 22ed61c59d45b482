"""What a newcomer does on the pages: makes a wallet, joins, places an order."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def join(page: Page, address: str) -> None:
    """A new wallet, signed in, with a meter and a deposit, on the page where one trades."""
    page.goto(address)
    page.get_by_role("button", name="Make a wallet").click()
    page.get_by_role("button", name="Join").click()
    trade = page.get_by_role("navigation").get_by_role("link", name="Trade")
    refusal = page.get_by_role("alert")
    trade.or_(refusal).first.wait_for(timeout=60_000)
    said = refusal.all_inner_texts()
    assert said == [], said
    trade.click()


def place(page: Page, *, side: str, kwh: str, price: str, button: str, further: int = 0) -> None:
    """An order, so many slots further away; it stands when this returns."""
    page.get_by_role("radio", name=side).check()
    page.get_by_label("How much").fill(kwh)
    page.get_by_label(re.compile("(Lowest|Highest) price")).fill(price)
    if further:
        choice = page.get_by_label("Time of delivery")
        if not choice.is_visible():
            page.get_by_text("More choices", exact=True).click()
        choice.select_option(index=further)
    page.get_by_role("button", name=button).click()
    verb = f"{side} up to {kwh}"
    expect(page.locator(".placed")).to_contain_text(verb, timeout=30_000)


def kept_keys(page: Page) -> list[dict[str, object]]:
    """The keys that the browser keeps: `did`, `algorithm`, and whether each is `extractable`."""
    found: list[dict[str, object]] = page.evaluate(
        """new Promise((done, failed) => {
          const opened = indexedDB.open("commonwatt");
          opened.onerror = failed;
          opened.onsuccess = () => {
            const rows = opened.result.transaction("keys").objectStore("keys").getAll();
            rows.onsuccess = () => done(rows.result.map(({ did, algorithm, secret }) => (
              { did, algorithm, extractable: secret.extractable })));
          };
        })"""
    )
    return found
