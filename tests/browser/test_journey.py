"""The market through a browser: a new wallet sells and buys, is metered, is paid.

Everything is real: `commonwatt up` in a process of its own, its meters, its oracle, its ledger.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from commonwatt.demonstration.market_plan import SPEED_DEFAULT
from tests.browser.looks import SIZES
from tests.browser.newcomer import join, kept_keys, place
from tests.commonwatt.wiring.running_market import running_market

SETTLED_DEADLINE_MS = 180_000  # some slots of ten seconds, on a machine with other work
LASTS_S = 600  # all tests of this module together
WITHOUT_ED25519 = """
for (const name of ["generateKey", "importKey"]) {
  const own = SubtleCrypto.prototype[name];
  SubtleCrypto.prototype[name] = function (...given) {
    const algorithm = given[name === "generateKey" ? 0 : 2];
    if ((algorithm.name ?? algorithm) === "Ed25519") {
      return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
    }
    return own.apply(this, given);
  };
}
"""


@pytest.fixture(scope="module")
def market(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a running market: of 24 households in two zones some buy and some sell."""
    assert dist.is_dir()
    data = tmp_path_factory.mktemp("market")
    with running_market(data, speed=SPEED_DEFAULT, lasts_s=LASTS_S) as running:
        yield running.address


def test_newcomer_sells_buys_is_metered_and_paid(browser: Browser, market: str) -> None:
    """First load to changed balance. A home gives energy in some slots and takes it in others, so
    that sales and purchases lie in slots by turns.
    """
    page = browser.new_page()
    join(page, market)

    place(page, side="Sell", kwh="0.2", price="-20", button="Sign and offer")
    place(page, side="Buy", kwh="0.2", price="60", button="Sign and ask", further=1)
    place(page, side="Sell", kwh="0.2", price="-20", button="Sign and offer", further=2)

    for side, count in (("Sell", 2), ("Buy", 1)):
        orders = page.locator(".orders > li", has_text=side)
        settled = orders.get_by_label("State: Settled")
        expect(settled).to_have_count(count, timeout=SETTLED_DEADLINE_MS)
    page.goto(f"{market}/#/statements?show=postings")
    expect(page.locator("summary", has_text="Energy").first).to_be_visible()
    balance = page.locator(".figure", has_text="Balance").locator("dd")
    expect(balance).not_to_have_attribute("title", "+50.00\u00a0EUR")
    page.goto(f"{market}/#/meter")
    expect(page.locator("table")).to_contain_text("measured")
    page.close()


def test_browser_without_ed25519_makes_a_p256_wallet_that_trades(
    browser: Browser, market: str
) -> None:
    """WebCrypto of an older browser: it refuses Ed25519 before the page's first script."""
    page = browser.new_page()
    page.add_init_script(WITHOUT_ED25519)

    join(page, market)
    place(page, side="Sell", kwh="0.1", price="-20", button="Sign and offer")

    (key,) = kept_keys(page)
    assert key["algorithm"] == "P-256"
    assert key["extractable"] is False
    assert str(key["did"]).startswith("did:key:zDn")
    expect(page.locator(".placed").get_by_label("State: Listed")).to_be_visible()
    page.reload()
    order = page.locator(".orders > li", has_text="Sell")
    expect(order.get_by_label(re.compile("State: "))).to_be_visible()
    page.get_by_label("Who you are").select_option(label="Household 1 (household)")
    expect(page.get_by_role("alert")).to_contain_text("cannot use the key of Household 1")
    assert kept_keys(page) == [key]
    asked = "crypto.subtle.generateKey('Ed25519', false, ['sign']).catch((error) => error.name)"
    assert page.evaluate(asked) == "NotSupportedError"
    page.close()


def test_newcomer_joins_on_a_phone(browser: Browser, market: str) -> None:
    width, height = SIZES["phone"]
    page = browser.new_page(viewport={"width": width, "height": height})

    join(page, market)

    place(page, side="Sell", kwh="0.1", price="-20", button="Sign and offer")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
