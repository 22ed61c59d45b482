"""A slot settled on an estimate, a late reading, and the difference that is posted for it."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from chaincode.errors import Refused
from chaincode.metering.reports import Leaf
from chaincode.queries.meters import MeteredAnswer
from chaincode.settlement.correction import CausesAnswer
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


def edited(leaf: Leaf, *, import_wh: int = 0, export_wh: int = 0) -> Leaf:
    """The same slot of a meter with other energy."""
    return msgspec.structs.replace(
        leaf,
        import_to_wh=leaf.import_from_wh + import_wh,
        export_to_wh=leaf.export_from_wh + export_wh,
        quality="edited",
    )


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
    assert [(c.meter, c.before, c.version) for c in causes.causes] == [("B", 0, 1)]


def test_certificates_follow_a_correction(estimated: Market) -> None:
    market = estimated
    market.report("meter import export\nB 450 0", others=False)

    market.correct()
    seller, buyer = market.account("S").account, market.account("B").account
    assert (seller.minted_wh, seller.live_wh, buyer.retired_wh) == (500, 50, 450)

    less = msgspec.structs.replace(edited(market.leaf("S")), export_from_wh=0, export_to_wh=100)
    market.send_report(market.signed_report([less]))
    market.correct()
    seller, buyer = market.account("S").account, market.account("B").account
    assert (seller.minted_wh, seller.live_wh, buyer.retired_wh) == (100, 0, 100)


def test_a_correction_without_a_newer_reading_is_refused(estimated: Market) -> None:
    before = estimated.state_hash()

    with pytest.raises(Refused, match="NOTHING_TO_CORRECT"):
        estimated.correct()

    assert estimated.state_hash() == before


def test_versions_of_a_reading_in_any_order_end_in_the_same_books(open_market: Opener) -> None:
    """A late reading of B and two corrections of S, each with a correction run behind it or not."""
    ends: list[object] = []
    for runs in itertools.product((True, False), repeat=2):
        market = open_market(market_rules(report_deadline_s=0))
        market.traders("S", "B")
        market.place(ORDERS)
        market.clear()
        first = market.leaf("S", export_wh=500)
        market.report("meter import export\nS 0 500", others=False)
        settle_late(market)
        for export_wh, run in zip((300, 400), runs, strict=True):
            leaf = edited(first, export_wh=export_wh)
            market.send_report(market.signed_report([leaf]))
            if run:
                market.correct()
        market.report("meter import export\nB 450 0", others=False)

        market.correct()

        metered = market.ask("list_metered", PageArguments(AREA, SLOT), MeteredAnswer)
        accounts = [market.account(name).account for name in ("S", "B", "R1")]
        ends.append((standing(market), metered.meters, accounts))

    assert all(end == ends[0] for end in ends)
    assert len(ends) == 4


def test_silent_meter_is_estimated_by_the_last_slot_that_was_read(open_market: Opener) -> None:
    market = open_market(market_rules(report_deadline_s=0))
    market.traders("S", "B")
    for slot in (SLOT, NEXT):
        market.clear(slot)
    market.report("meter import export\nS 0 400\nB 300 0")

    settle_late(market, NEXT)

    meters = market.ask("list_metered", PageArguments(AREA, NEXT), MeteredAnswer).meters
    rows = [(m.meter, m.residual_wh, m.surplus_wh, m.estimated) for m in meters]
    assert rows == [("B", 300, 0, True), ("S", 0, 400, True)]


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
    leaf = edited(market.leaf("B"), import_wh=440)
    market.send_report(market.signed_report([leaf]))

    market.correct(member=member)

    assert market.slot().phase == "SETTLED"
