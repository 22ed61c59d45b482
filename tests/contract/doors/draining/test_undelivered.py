"""`shortfall_penalty`: what a seller pays its buyer on sold Wh that it did not deliver."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.rule_changes import RulesArguments
from chaincode.errors import Refused
from tests.chaincode.wording import in_english
from tests.contract.stage.cast import (
    AREA,
    DSO,
    MILLION,
    R1,
    R2,
    SLOT,
    SLOT_S,
    amounts_of,
    market_rules,
)
from tests.contract.stage.market import Market, Opener

PENALTY = 80_000
LATER = SLOT + 96 * SLOT_S  # no slot has opened as far ahead
ORDERS = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


@pytest.fixture
def strict(open_market: Opener) -> Market:
    """S has sold 500 Wh to B in an area where a seller pays for what it does not deliver."""
    market = open_market(market_rules(shortfall_penalty=PENALTY))
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    return market


def settled(market: Market, readings: str) -> dict[str, int]:
    """The penalties of the slot by account, once it has settled on `readings`."""
    market.report(f"meter import export\n{readings}")
    market.settle()
    return market.posted(kind="penalty")


def reserved(market: Market) -> tuple[int, int]:
    """What the seller and the buyer keep reserved."""
    seller, buyer = market.account("S").account, market.account("B").account
    return seller.reserved_nano, buyer.reserved_nano


@pytest.mark.parametrize(
    ("readings", "lacking_wh"),
    [
        ("S 0 500\nB 500 0", 0),  # delivered
        ("S 0 499\nB 500 0", 1),
        ("S 0 200\nB 500 0", 300),
        ("S 0 0\nB 500 0", 500),  # nothing delivered
        ("S 0 0\nB 9000 0", 500),  # the buyer used more than it had bought
        ("S 0 200\nB 350 0", 150),  # the buyer could use no more than 350 Wh
        ("S 0 200\nB 201 0", 1),
        ("S 0 200\nB 200 0", 0),
        ("S 0 0\nB 0 0", 0),
    ],
)
def test_seller_pays_for_what_its_buyer_could_use(
    strict: Market, readings: str, lacking_wh: int
) -> None:
    penalties = settled(strict, readings)

    due = PENALTY * lacking_wh
    assert penalties == ({"S": -due, "B": due} if due else {})
    assert reserved(strict) == (0, 0)
    assert sum(posting.amount_nano for posting in strict.postings()) == 0


def test_penalty_tells_its_trade_its_energy_and_its_rate(strict: Market) -> None:
    settled(strict, "S 0 200\nB 500 0")

    told = [p for p in strict.postings() if p.kind == "penalty"]
    assert [(strict.named(p.account), p.trade, in_english(p)) for p in told] == [
        ("S", "0", "300 Wh x 80000"),
        ("B", "0", "300 Wh x 80000"),
    ]
    assert [view.trade.undelivered_wh for view in strict.trades()] == [300]
    # 200 Wh traded, 300 Wh of retail supply, and the penalty from the seller.
    assert strict.posted() == amounts_of("""
        account  nano
        S        -4M
        B        -71M
        R1        75M
        """)


def test_penalty_bears_no_vat_and_passes_no_retailer(open_market: Opener) -> None:
    """The parties have different retailers, both taxed; the damages go from account to account."""
    rules = market_rules(shortfall_penalty=PENALTY)
    market = open_market(msgspec.structs.replace(rules, retailer_vat_ppm=200_000))
    market.trader("S", retailer=R2)
    market.trader("B")
    market.place(ORDERS)
    market.clear()

    penalties = settled(market, "S 0 0\nB 500 0")

    assert penalties == {"S": -40 * MILLION, "B": 40 * MILLION}
    # VAT is on 500 Wh of retail supply at 250,000 alone.
    assert market.posted(kind="vat") == {"vat:R1": 25 * MILLION, "B": -25 * MILLION}
    assert R2 not in market.posted()


def test_each_trade_of_a_short_seller_counts_what_its_buyer_has_left(
    open_market: Opener,
) -> None:
    """S sells 9,000 Wh and feeds in 4,000; B1 gets them all, B2 could use 1,500 of its 4,000."""
    market = open_market(market_rules(shortfall_penalty=PENALTY))
    market.traders("S", "B1", "B2")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  9000
        B1   b   buy   110000  5000
        B2   b   buy   100000  4000
        """)
    market.clear()

    penalties = settled(market, "S 0 4000\nB1 6000 0\nB2 1500 0")

    assert [view.trade.settled_wh for view in market.trades()] == [4000, 0]
    assert [view.trade.undelivered_wh for view in market.trades()] == [1000, 1500]
    assert penalties == {"S": -200 * MILLION, "B1": 80 * MILLION, "B2": 120 * MILLION}


def test_rule_3_4_every_sale_reserves_the_penalty(strict: Market) -> None:
    """At a limit of zero or more the penalty alone; the buyer reserves nothing for it."""
    assert reserved(strict) == (PENALTY * 500, 100_000 * 500)


def test_rule_3_4_sale_at_a_negative_limit_reserves_both(open_market: Opener) -> None:
    market = open_market(market_rules(shortfall_penalty=PENALTY))
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  -20000  500
        B    b   buy   100000  300
        """)
    market.clear()

    # 200 Wh are not matched and keep nothing.
    assert reserved(market) == ((20_000 + PENALTY) * 300, 100_000 * 300)


@pytest.mark.parametrize(("short_nano", "left_out"), [(0, ""), (1, "NO_COVER")])
def test_rule_3_4_sale_without_money_for_the_penalty_is_left_out(
    open_market: Opener, short_nano: int, left_out: str
) -> None:
    market = open_market(market_rules(shortfall_penalty=PENALTY))
    market.trader("S", deposit_nano=PENALTY * 500 - short_nano)
    market.trader("B")
    market.place(ORDERS)

    market.clear()

    assert market.traded() == ([] if left_out else ["B/b S/s 500 100000"])
    assert [view.left_out for view in market.orders("S")] == [left_out]


def test_rule_3_4_nobody_spends_its_retailers_money_by_not_delivering(
    open_market: Opener,
) -> None:
    """The seller owns the cover and no more; it delivers nothing, and no claim arises."""
    market = open_market(market_rules(shortfall_penalty=PENALTY))
    market.trader("S", deposit_nano=PENALTY * 500)
    market.trader("B")
    market.place(ORDERS)
    market.clear()
    assert market.account("S").available_nano == 0

    settled(market, "S 0 0\nB 500 0")

    account = market.account("S")
    assert (account.worth_nano, account.account.claims_nano) == (0, 0)
    assert R1 not in market.posted(kind="default")


def test_corrections_to_and_fro_end_where_they_began(strict: Market) -> None:
    """S is silent and estimated at 0 Wh, then read at 500 Wh, then validated at 0 Wh.

    The penalty is posted, taken back in full and posted again.
    """
    strict.report("meter import export\nB 500 0", others=False)
    strict.pass_until(SLOT + SLOT_S + strict.rules.market.report_deadline_s)
    strict.settle()
    began, balance = strict.posted(), strict.account("S").worth_nano
    assert strict.posted(kind="penalty") == {"S": -40 * MILLION, "B": 40 * MILLION}

    strict.report("meter import export\nS 0 500", others=False)
    strict.correct()

    assert strict.posted(kind="penalty") == {"S": 0, "B": 0}
    assert [view.trade.undelivered_wh for view in strict.trades()] == [0]
    assert reserved(strict) == (0, 0)

    strict.validate(strict.leaf("S", export_wh=-500))
    strict.correct()

    assert {name: nano for name, nano in strict.posted().items() if nano} == began
    assert strict.account("S").worth_nano == balance
    assert [view.trade.undelivered_wh for view in strict.trades()] == [500]
    assert reserved(strict) == (0, 0)


def test_penalty_is_corrected_where_the_settled_energy_stays(strict: Market) -> None:
    """S delivered 200 Wh of 500; that B used 350 Wh and not 500 changes the penalty alone."""
    settled(strict, "S 0 200\nB 500 0")
    first = len(strict.postings())

    strict.validate(strict.leaf("B", import_wh=-150))
    strict.correct()

    fresh = strict.postings()[first:]
    assert [(strict.named(p.account), p.amount_nano, in_english(p)) for p in fresh if p.trade] == [
        ("S", 12 * MILLION, "-12000000 instead of -24000000"),
        ("B", -12 * MILLION, "12000000 instead of 24000000"),
    ]
    assert [view.trade.settled_wh for view in strict.trades()] == [200]
    assert strict.posted(kind="penalty") == {"S": -12 * MILLION, "B": 12 * MILLION}


def test_area_without_the_rule_reserves_and_posts_none(market: Market) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    assert reserved(market)[0] == 0

    assert settled(market, "S 0 0\nB 500 0") == {}
    assert [view.trade.undelivered_wh for view in market.trades()] == [0]


def test_rule_4_1_penalty_is_dated_to_slots_that_have_not_opened(market: Market) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    rules = msgspec.structs.replace(market.rules.market, shortfall_penalty=PENALTY)
    before = market.state_hash()

    with pytest.raises(Refused, match="TERMS_FROZEN"):
        market.submit("set_market_rules", RulesArguments(AREA, SLOT, rules), DSO, admin=True)
    assert market.state_hash() == before

    market.submit("set_market_rules", RulesArguments(AREA, LATER, rules), DSO, admin=True)
