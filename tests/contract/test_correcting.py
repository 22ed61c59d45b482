"""A slot settled on an estimate, a late reading, and the difference that is posted for it."""

from __future__ import annotations

import itertools

import pytest

from chaincode.errors import Refused
from chaincode.queries.meters import MeteredAnswer
from chaincode.settlement.correction import Cause, CausesAnswer
from chaincode.slots.gate import (
    PageArguments,
    SlotArguments,
)
from tests.chaincode.wording import in_english
from tests.contract.stage.cast import (
    AREA,
    DSO,
    MILLION,
    R1,
    SLOT,
    SLOT_S,
    Rules,
    amounts_of,
    market_rules,
)
from tests.contract.stage.market import Market, Opener

NEXT = SLOT + SLOT_S
ORDERS = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def settle_late(market: Market, slot: int = SLOT) -> None:
    """Let the report deadline pass and settle."""
    market.pass_until(slot + SLOT_S + market.rules.market.report_deadline_s)
    market.settle(slot)


def standing(market: Market) -> dict[str, int]:
    """What a slot has posted by account so far, without accounts that stand at zero."""
    return {account: nano for account, nano in market.posted().items() if nano}


@pytest.fixture
def estimated(market: Market) -> Market:
    """S fed in 500 Wh for B, whose meter is silent; the slot has settled on B's estimate of 0."""
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    market.report("meter import export\nS 0 500", others=False)
    settle_late(market)
    return market


def test_late_reading_is_settled_by_a_correction(estimated: Market) -> None:
    market = estimated
    assert standing(market) == {"S": 30 * MILLION, "R1": -30 * MILLION}
    market.report("meter import export\nB 450 0", others=False)

    market.correct()

    # 450 Wh at 100,000 between S and B; 50 Wh of surplus at 60,000.
    assert standing(market) == amounts_of("""
        account  nano
        S         48M
        R1        -3M
        B        -45M
        """)
    assert [view.trade.settled_wh for view in market.trades()] == [450]
    assert market.orders("B")[0].settled_wh == 450
    assert market.states("B") == {"b": "SETTLED"}
    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.settled_wh, settlement.surplus_wh, settlement.estimated) == (450, 50, 0)
    assert (market.slot().phase, settlement.corrections) == ("SETTLED", 1)


def test_difference_names_its_correction_and_that_the_meters_behind_it(
    estimated: Market,
) -> None:
    market = estimated
    first = len(market.postings())
    market.report("meter import export\nB 450 0", others=False)

    market.correct()

    fresh = market.postings()[first:]
    assert {posting.cause for posting in fresh} == {"correction-1"}
    assert sum(posting.amount_nano for posting in fresh) == 0
    surplus = [p for p in fresh if (market.named(p.account), p.kind) == ("S", "surplus")]
    assert [(p.amount_nano, in_english(p)) for p in surplus] == [
        (-27 * MILLION, "3000000 instead of 30000000")
    ]
    causes = market.ask("list_causes", PageArguments(AREA, SLOT), CausesAnswer)
    assert causes.causes == [Cause("B", 450, 0, 0, 0)]


def test_certificates_follow_a_correction(estimated: Market) -> None:
    market = estimated
    market.report("meter import export\nB 450 0", others=False)

    market.correct()
    seller, buyer = market.account("S").account, market.account("B").account
    assert (seller.minted_wh, seller.live_wh, buyer.retired_wh) == (500, 50, 450)

    market.validate(market.leaf("S", export_wh=-400))
    market.correct()
    seller, buyer = market.account("S").account, market.account("B").account
    assert (seller.minted_wh, seller.live_wh, buyer.retired_wh) == (100, 0, 100)


def test_a_correction_without_a_newer_reading_is_refused(estimated: Market) -> None:
    before = estimated.state_hash()

    with pytest.raises(Refused, match="NOTHING_TO_CORRECT"):
        estimated.correct()

    assert estimated.state_hash() == before


def test_registers_in_any_order_end_in_the_same_books(open_market: Opener) -> None:
    """B's register and a validated one of S, in both orders, with a correction between or not."""
    ends: list[object] = []
    for run, b_first in itertools.product((True, False), repeat=2):
        market = open_market(market_rules(report_deadline_s=0))
        market.traders("S", "B")
        market.place(ORDERS)
        market.clear()
        market.report("meter import export\nS 0 500", others=False)
        settle_late(market)
        for is_b in (b_first, not b_first):
            if is_b:
                market.report("meter import export\nB 450 0", others=False)
            else:
                market.validate(market.leaf("S", export_wh=-100))
            if run:
                market.correct()

        if run:
            with pytest.raises(Refused, match="NOTHING_TO_CORRECT"):
                market.correct()
        else:
            market.correct()

        metered = market.ask("list_metered", PageArguments(AREA, SLOT), MeteredAnswer)
        accounts = [market.account(name).account for name in ("S", "B", "R1")]
        ends.append((standing(market), metered.meters, accounts))

    assert all(end == ends[0] for end in ends)
    assert len(ends) == 4


def test_silent_meter_is_estimated_and_settled_on_its_register_when_it_comes(
    open_market: Opener,
) -> None:
    """Rules 6.4 and 6.5: nothing is guessed of an export; the gap is spread once it has an end."""
    market = open_market(market_rules(report_deadline_s=0))
    market.traders("S", "B")
    for slot in (SLOT, NEXT):
        market.clear(slot)
    market.report("meter import export\nS 0 400\nB 300 0")
    settle_late(market, NEXT)

    assert metered(market, NEXT) == [("B", 0, 0, True), ("S", 0, 0, True)]

    later = NEXT + 2 * SLOT_S
    market.pass_until(later)
    leaves = [
        market.leaf("B", later, import_wh=100),
        market.leaf("S", later, export_wh=31),
    ]
    market.send_report(market.signed_report(leaves))
    market.correct(NEXT)

    assert metered(market, NEXT) == [("B", 50, 0, False), ("S", 0, 16, False)]


def metered(market: Market, slot: int) -> list[tuple[str, int, int, bool]]:
    """Meter, residual supply, surplus and whether it is an estimate."""
    meters = market.ask("list_metered", PageArguments(AREA, slot), MeteredAnswer).meters
    return [(m.meter, m.residual_wh, m.surplus_wh, m.estimated) for m in meters]


def test_what_a_correction_takes_and_a_client_lacks_becomes_a_claim(open_market: Opener) -> None:
    """What a client owes is not judged by the order of corrections."""
    market = open_market(Rules(market=market_rules(report_deadline_s=0).market))
    market.trader("B", deposit_nano=10 * MILLION)
    market.clear()
    settle_late(market)
    market.report("meter import export\nB 100 0", others=False)

    market.correct()

    assert market.account("B").account.balance_nano == 0
    assert market.folded(kind="default") == {"B": 15 * MILLION, "R1": -15 * MILLION}
    assert market.claims(R1) == {"B": 15 * MILLION}


@pytest.mark.parametrize("member", [DSO, R1])
def test_any_member_of_the_market_corrects_and_only_what_has_settled(
    market: Market, member: str
) -> None:
    market.traders("S", "B")
    market.clear()
    with pytest.raises(Refused, match="SLOT_PHASE"):
        market.submit("correct_slot", SlotArguments(AREA, SLOT), member)
    market.report("meter import export\nS 0 500\nB 450 0")
    market.settle()
    with pytest.raises(Refused, match="NOTHING_TO_CORRECT"):
        market.correct(member=member)
    market.validate(market.leaf("B", import_wh=-10))

    market.correct(member=member)

    assert market.slot().phase == "SETTLED"
