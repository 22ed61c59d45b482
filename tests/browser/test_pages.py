"""Every page of every role in a real browser, drawn from the double: readable, complete, silent."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from api.services import Role
from tests.browser.double import NAMES, ROLES, Double, served
from tests.browser.first_load import FIRST_LOAD_BYTES_MAX, files_named, first_load_bytes
from tests.browser.looks import PAGES, SIZES, become, settle
from tests.browser.newcomer import kept_keys


class Look(NamedTuple):
    """How a page is shown."""

    size: str
    scheme: Literal["light", "dark"]


LOOKS = [Look(size, "light") for size in SIZES] + [Look(size, "dark") for size in SIZES]
LABELS: dict[str, str] = dict(zip(ROLES, NAMES, strict=True))


@contextmanager
def opened(
    browser: Browser,
    address: str,
    *,
    size: str = "desktop",
    scheme: Literal["light", "dark"] = "light",
    script: Path | None = None,
) -> Generator[Page]:
    """A page with an empty profile; what the browser complains of fails the test."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    if script is not None:
        context.add_init_script(path=script)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert complaints == []


def play(page: Page, role: Role) -> None:
    """Become the double's persona of a role."""
    label = page.locator("option", has_text=LABELS[role]).first
    expect(label).to_have_count(1)
    become(page, label.inner_text())


def to(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/#/{name}")
    settle(page)


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, as one line each."""
    found: dict[str, Any] = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
    )
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def half_lines(page: Page) -> list[str]:
    """Cells of cards that have a line for themselves and fill half of it."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("tbody tr")]
          .filter((row) => getComputedStyle(row).display === "grid")
          .flatMap((row) => [...row.cells].filter((cell) =>
            [...row.cells].every((other) => other === cell || other.offsetTop !== cell.offsetTop)
            && cell.offsetWidth < row.clientWidth - 1))
          .map((cell) => cell.textContent)"""
    )
    return found


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
@pytest.mark.parametrize("role", ROLES)
def test_pages_of_a_role_fit_the_screen_and_everybody(
    browser: Browser, address: str, axe: Path, role: Role, look: Look
) -> None:
    with opened(browser, address, size=look.size, scheme=look.scheme, script=axe) as page:
        play(page, role)
        for name in PAGES[role]:
            to(page, address, name)

            assert violations(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            assert half_lines(page) == [], name
            expect(page.locator("h1")).to_have_count(1)
            expect(page.locator(".fault")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
def test_landing_page_fits_the_screen_and_everybody(
    browser: Browser, address: str, axe: Path, look: Look
) -> None:
    with opened(browser, address, size=look.size, scheme=look.scheme, script=axe) as page:
        page.get_by_role("button", name="Make a wallet").wait_for()
        settle(page)

        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(page.locator("h1")).to_have_count(1)
        expect(page.locator(".fault")).to_have_count(0)


def test_landing_page_shows_the_market_to_a_visitor(browser: Browser, address: str) -> None:
    """What is traded, today's price, the zones, the orders for the next slot; nobody has signed in."""
    with opened(browser, address) as page:
        now = page.get_by_role("region", name="Traded now")
        settle(page)

        expect(now).to_contain_text(re.compile(r"Energy\s*38\.\d+\s?kWh"))
        expect(now).to_contain_text(
            re.compile(r"Orders for 14:30\u201314:45 are taken for another")
        )
        expect(page.get_by_role("region", name="Price today").locator("canvas")).to_be_visible()
        expect(page.get_by_role("region", name="Zones").locator("svg")).to_be_visible()
        expect(page.get_by_role("region", name="Wanted and offered")).to_contain_text("offered")


def test_visitor_becomes_a_persona_of_the_landing_page(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.get_by_role("button", name=re.compile("^Bureau")).click()

        expect(page.get_by_role("link", name="Findings")).to_be_visible()
        page.get_by_label("Who you are").select_option(label="Visitor, not signed in")
        expect(page.get_by_role("button", name="Make a wallet")).to_be_visible()


def test_market_that_keeps_its_book_is_not_asked_for_it(browser: Browser, dist: Path) -> None:
    double = Double(dist)
    double.is_public = False
    with served(double) as address, opened(browser, address) as page:
        settle(page)

        expect(page.get_by_role("region", name="Zones")).to_be_visible()
        expect(page.get_by_role("region", name="Wanted and offered")).to_have_count(0)
        expect(page.get_by_role("button", name=re.compile("^Bureau"))).to_have_count(0)
        expect(page.get_by_role("button", name="Make a wallet")).to_be_visible()
    assert not [query for query in double.asked if "book(" in query]


def test_key_kept_in_the_browser_is_offered_after_signing_out(
    browser: Browser, address: str
) -> None:
    with opened(browser, address) as page:
        page.get_by_role("button", name="Make a wallet").click()
        page.get_by_role("button", name="Join").click()
        page.get_by_role("link", name="Wallet").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Continue with my wallet 1").click()

        expect(page.get_by_role("link", name="Statements")).to_be_visible()


def test_first_load_is_small(dist: Path) -> None:
    assert any(name.endswith(".js") for name in files_named(dist))
    assert first_load_bytes(dist) < FIRST_LOAD_BYTES_MAX


def test_built_files_hold_nothing_that_the_policy_forbids(dist: Path) -> None:
    page = (dist / "index.html").read_text(encoding="utf-8")

    assert "<style" not in page
    assert "style=" not in page
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []


def test_home_answers_in_one_sentence(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")

        answer = page.locator(".answer-line")

        expect(answer).to_have_text(
            re.compile(
                r"^Now 14:00\u201314:15: you sell 0\.42\s?kWh at 11\.80\s?ct/kWh; today's total is \+"
            )
        )


def test_what_is_signed_is_said_before_and_stands_after(
    browser: Browser, double: Double, address: str
) -> None:
    with opened(browser, address, size="phone") as page:
        play(page, "HOUSEHOLD")
        to(page, address, "trade")
        page.get_by_label("How much").fill("1,5")
        page.get_by_label("Lowest price").fill("10")
        words = "Sell up to 1.5 kWh between 14:45 and 15:00 for at least 10.00 ct/kWh."
        expect(page.locator(".signs")).to_contain_text(words)

        page.get_by_role("button", name="Sign and offer").click()

        expect(page.locator(".placed")).to_contain_text(words)
        expect(page.locator(".placed").get_by_role("list")).to_have_attribute(
            "aria-label", "State: Listed"
        )
    assert len(double.placed) == 1


def test_refusal_shows_the_contracts_sentence_and_a_way_out(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")
        to(page, address, "trade")
        page.get_by_role("radio", name="Buy").check()
        page.get_by_label("How much").fill("0.666")
        page.get_by_role("button", name="Sign and ask").click()

        refusal = page.get_by_role("alert")

        expect(refusal).to_contain_text("The own bid at 120000 would meet the own ask")
        expect(refusal).to_contain_text("SELF_CROSSING")
        expect(refusal).to_contain_text("Choose another price")
        expect(page.get_by_label("How much")).to_have_value("0.666")


def test_fields_out_of_bounds_are_told_and_not_signed(
    browser: Browser, double: Double, address: str
) -> None:
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")
        to(page, address, "trade")
        page.get_by_label("How much").fill("99")
        page.get_by_label("Lowest price").fill("61")
        page.get_by_role("button", name="Sign and offer").click()

        expect(
            page.get_by_text(
                "Enter at most 2.5 kWh: your meter is certified for no more in a slot."
            )
        ).to_be_visible()
        expect(
            page.get_by_text("Enter a price between \u221250.00 ct/kWh and 60.00")
        ).to_be_visible()
    assert double.placed == []


def test_amount_opens_to_why(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")
        to(page, address, "statements?show=postings")
        page.locator("summary", has_text="Energy").first.click()

        why = page.locator("details[open] .why").first

        expect(why).to_contain_text("0.42 kWh \u00d7 11.80 ct/kWh")
        expect(why).to_contain_text("+0.04956 EUR")
        expect(why).to_contain_text("Who bills whom")
        expect(why).to_contain_text("805")


def test_new_wallet_joins_and_its_key_cannot_be_read_out(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.get_by_role("button", name="Make a wallet").click()
        page.get_by_role("button", name="Join").click()
        expect(page.get_by_role("link", name="Statements")).to_be_visible()

        assert [key["extractable"] for key in kept_keys(page)] == [False]
        page.reload()
        expect(page.get_by_role("link", name="Statements")).to_be_visible()


def test_figures_that_a_slot_has_not_got_yet_are_dashes(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        play(page, "DSO")
        to(page, address, "slots")

        rows = page.locator("tbody tr")
        first = {
            word: rows.filter(has=page.locator(".state", has_text=re.compile(f"^{word}$"))).first
            for word in ("takes orders", "cleared", "settled")
        }
        empty = {
            word: [text == "\u2013" for text in row.locator("td.number .value").all_inner_texts()]
            for word, row in first.items()
        }

    # Price, orders; settled, residual, surplus, estimated; block.
    assert empty["takes orders"] == [True, True, True, True, True, True, False]
    assert empty["cleared"] == [False, False, True, True, True, True, False]
    assert empty["settled"] == [False] * 7


def test_tabs_and_menu_work_by_keyboard(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")
        to(page, address, "statements")
        page.get_by_role("tab", name="Trades").focus()
        page.keyboard.press("ArrowRight")

        expect(page.get_by_role("tab", name="Money")).to_be_focused()
        expect(page.get_by_role("tab", name="Money")).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("role", ROLES)
def test_empty_market_is_told_in_words(browser: Browser, dist: Path, role: Role) -> None:
    with served(Double(dist, empty=True)) as address, opened(browser, address) as page:
        play(page, role)
        for name in PAGES[role]:
            to(page, address, name)

            expect(page.locator("h1")).to_have_count(1)
            expect(page.locator(".fault")).to_have_count(0)
            assert "NaN" not in page.inner_text("main"), name
            assert "undefined" not in page.inner_text("main"), name


def test_empty_market_is_told_to_a_visitor_in_words(browser: Browser, dist: Path) -> None:
    with served(Double(dist, empty=True)) as address, opened(browser, address) as page:
        settle(page)

        expect(page.get_by_role("region", name="Traded now")).to_contain_text("Nothing is traded")
        expect(page.locator(".fault")).to_have_count(0)
        assert "NaN" not in page.inner_text("main")
        assert "undefined" not in page.inner_text("main")


def test_ledger_that_takes_nothing_is_said_and_the_button_rests(
    browser: Browser, double: Double, address: str
) -> None:
    double.writable = False
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")
        to(page, address, "trade")

        expect(page.get_by_role("status").first).to_contain_text("takes no orders at present")
        expect(page.get_by_role("button", name="Sign and offer")).to_be_disabled()


def test_stale_data_names_block_and_age(browser: Browser, double: Double, address: str) -> None:
    double.age_s = 40
    with opened(browser, address) as page:
        play(page, "HOUSEHOLD")

        expect(page.get_by_role("status").first).to_contain_text(
            re.compile(r"You see data from block 812, 4\d\s?s old")
        )


def test_error_has_code_sentence_and_copy(browser: Browser, double: Double, address: str) -> None:
    double.fault = "The ledger is being moved."
    with opened(browser, address) as page:
        alert = page.get_by_role("alert")

        expect(alert).to_contain_text("The ledger is being moved.")
        expect(alert).to_contain_text("LEDGER_UNAVAILABLE")
        expect(alert.get_by_role("button", name="Copy")).to_be_visible()
        double.fault = None
        alert.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Make a wallet")).to_be_visible()


def test_lost_connection_keeps_what_was_typed(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    play(page, "HOUSEHOLD")
    to(page, address, "trade")
    page.get_by_label("How much").fill("1.234")

    context.set_offline(True)

    expect(page.get_by_text("Not connected: the market does not answer.")).to_be_visible(
        timeout=10_000
    )
    expect(page.get_by_label("How much")).to_have_value("1.234")
    context.set_offline(False)
    expect(page.get_by_text("Not connected")).to_have_count(0, timeout=10_000)
    context.close()
