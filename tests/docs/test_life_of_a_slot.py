"""The slot of `docs/life-of-a-slot.md`, run through the contract: every box of the page is checked.

The page gives the orders and readings; whatever the ledger then answers is put into the shape of
the page's tables and compared line by line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaincode.area.fees import FeeRow
from tests.chaincode.wording import in_english
from tests.contract.stage.cast import DSO, R1, R2, SLOT, SLOT_S, Rules, market_rules
from tests.contract.stage.embedded_engine import EmbeddedEngine
from tests.contract.stage.market import Market

PAGE = Path(__file__).parents[2] / "docs" / "life-of-a-slot.md"
BOX = re.compile(r"^```(?P<name>[a-z0-9-]+)\n(?P<table>.*?)^```$", re.DOTALL | re.MULTILINE)
TRADERS = {"anna": (R1, "solar"), "ben": (R1, ""), "cleo": (R2, "")}
VAT_PPM = 200_000
SHOWN = SLOT + SLOT_S  # the slot of the page; the gate before it folds the deposits


def boxes() -> dict[str, str]:
    """The tables of the page by name."""
    return {box["name"]: box["table"] for box in BOX.finditer(PAGE.read_text(encoding="utf-8"))}


def rows(name: str) -> list[str]:
    """The rows of a box below its heading, single-spaced."""
    return [" ".join(line.split()) for line in boxes()[name].strip().splitlines()[1:]]


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """A market with the page's rules and traders, whose money is in their accounts."""
    rules = Rules(
        market=market_rules(cancel_fee=5_000).market,
        fees=[
            FeeRow("grid", DSO, 34_400, VAT_PPM, relation="local"),
            FeeRow("grid", DSO, 80_000, VAT_PPM, relation="residual"),
        ],
        retailer_vat_ppm=VAT_PPM,
    )
    with EmbeddedEngine(tmp_path) as engine:
        market = Market(engine, rules)
        for name, (retailer, source) in TRADERS.items():
            market.trader(name, retailer=retailer, source=source)
        market.clear()
        yield market
        market.check_end()
        market.close()


def states(market: Market) -> list[str]:
    return [
        f"{who} {name} {state}"
        for who in TRADERS
        for name, state in market.states(who, SHOWN).items()
    ]


def cleared(market: Market) -> dict[str, list[str]]:
    """What the page shows of the cleared slot."""
    trades = [view.trade for view in market.trades(SHOWN)]
    named: Callable[[str], str] = market.named
    return {
        "clearing": [
            f"{zone.zone} {low} {high} {zone.price} {zone.volume_wh} {zone.orders} {zone.trades}"
            for zone in market.slot(SHOWN).zones
            for low, high in [zone.price_range or (0, 0)]
        ],
        "trades": [
            f"{t.number} {named(t.buy)} {named(t.sell)} {t.quantity_wh} {t.buy_price}"
            for t in trades
        ],
        "reserved": [f"{who} {market.account(who).account.reserved_nano}" for who in TRADERS],
        "states-cleared": states(market),
    }


def settled(market: Market) -> dict[str, list[str]]:
    """What the page shows of the settled slot."""
    trades = [view.trade for view in market.trades(SHOWN)]
    s = market.slot(SHOWN).settlement
    assert s is not None
    accounts = [(who, market.account(who).account) for who in TRADERS]
    return {
        "delivered": [f"{t.number} {t.quantity_wh} {t.settled_wh}" for t in trades],
        "sums": [f"{s.settled_wh} {s.residual_wh} {s.surplus_wh} {s.minted_wh} {s.retired_wh}"],
        "postings-1": [
            f"{market.named(p.account)} {p.amount_nano} {p.kind} {in_english(p)}"
            for p in market.postings(SHOWN)
            if p.trade == "1"
        ],
        "certificates": [
            f"{who} {account.minted_wh} {account.live_wh} {account.retired_wh}"
            for who, account in accounts
        ],
        "states-settled": states(market),
    }


def test_slot_of_the_page_comes_out_as_printed(market: Market) -> None:
    market.place(boxes()["orders"], slot=SHOWN)
    assert market.cancel("ben", "b2", slot=SHOWN) == "CANCELLED"
    market.clear(SHOWN)
    for name, answered in cleared(market).items():
        assert answered == rows(name), name

    market.report(boxes()["readings"], SHOWN)
    market.settle(SHOWN)
    for name, answered in settled(market).items():
        assert answered == rows(name), name
    posted = market.posted(SHOWN)
    assert sorted(f"{who} {nano}" for who, nano in posted.items()) == sorted(rows("totals"))
    assert sum(posted.values()) == 0


def test_every_box_of_the_page_is_checked() -> None:
    checked = {"orders", "readings", "totals", "clearing", "trades", "reserved", "states-cleared"}
    checked |= {"delivered", "sums", "postings-1", "certificates", "states-settled"}

    assert set(boxes()) == checked


def test_what_ben_would_have_paid_without_trading_is_reckoned_right() -> None:
    without = 1_250 * (250_000 + 80_000)

    assert f"{without + without * VAT_PPM // 1_000_000:,}" in PAGE.read_text(encoding="utf-8")
