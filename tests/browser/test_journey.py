"""The market through a browser: a new wallet sells and buys, is metered, is paid.

Everything is real: `commonwatt up` in a process of its own, its meters, its oracle, its ledger.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looks import SIZES

START_DEADLINE_S = 120
SETTLED_DEADLINE_MS = 180_000  # some slots of ten seconds, on a machine with other work
STOP_DEADLINE_S = 60
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@pytest.fixture(scope="module")
def market(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a running market: of 24 households in two zones some buy and some sell."""
    assert dist.is_dir()
    folder = tmp_path_factory.mktemp("market")
    command = [sys.executable, "-m", "commonwatt", "up", "--port", "0"]
    log = folder / "up.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")],
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield _address(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_DEADLINE_S)


def test_newcomer_sells_buys_is_metered_and_paid(browser: Browser, market: str) -> None:
    """First load to changed balance; the sale and the purchase lie in slots of their own."""
    page = browser.new_page()
    join(page, market)

    place(page, side="Sell", kwh="0.2", price="-20", button="Sign and offer")
    place(page, side="Buy", kwh="0.2", price="60", button="Sign and bid", further=True)

    for side in ("Sell", "Buy"):
        order = page.locator(".orders > li", has_text=side)
        expect(order.get_by_label("State: Settled")).to_be_visible(timeout=SETTLED_DEADLINE_MS)
    page.goto(f"{market}/#/statements?show=postings")
    expect(page.locator("summary", has_text="Energy").first).to_be_visible()
    balance = page.locator(".figure", has_text="Balance").locator("dd")
    expect(balance).not_to_have_attribute("title", "+50.00\u00a0EUR")
    page.goto(f"{market}/#/meter")
    expect(page.locator("table")).to_contain_text("measured")
    page.close()


def test_newcomer_joins_on_a_phone(browser: Browser, market: str) -> None:
    width, height = SIZES["phone"]
    page = browser.new_page(viewport={"width": width, "height": height})

    join(page, market)

    place(page, side="Sell", kwh="0.1", price="-20", button="Sign and offer")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def join(page: Page, address: str) -> None:
    """A new wallet, signed in, with a meter and a deposit, on the page where one trades."""
    page.goto(address)
    page.get_by_role("button", name="Make a wallet").click()
    page.get_by_role("button", name="Join").click()
    page.get_by_role("navigation").get_by_role("link", name="Trade").click(timeout=60_000)


def place(
    page: Page, *, side: str, kwh: str, price: str, button: str, further: bool = False
) -> None:
    """An order, two slots further away where asked; it stands when this returns."""
    page.get_by_role("radio", name=side).check()
    page.get_by_label("How much").fill(kwh)
    page.get_by_label(re.compile("For at (least|most)")).fill(price)
    if further:
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Delivered").select_option(index=2)
    page.get_by_role("button", name=button).click()
    verb = f"{side} up to {kwh}"
    expect(page.locator(".placed")).to_contain_text(verb, timeout=30_000)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the market prints once its pages are served; fails where it ends before."""
    for _ in range(START_DEADLINE_S * 10):
        found = ADDRESS.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return found[0]
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace")[-3000:])
