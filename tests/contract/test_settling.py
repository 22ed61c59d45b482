"""From readings to postings: the worked cases through the ledger, estimates, certificates."""

from __future__ import annotations

import pytest

from chaincode.area.fees import FeeRow
from chaincode.errors import Refused
from chaincode.metering.reports import Recorded
from chaincode.metering.supply import ClientVatArguments
from chaincode.slots.gate import SlotArguments
from tests.contract.stage.cast import (
    AREA,
    DSO,
    MILLION,
    ORACLE,
    R1,
    R2,
    ROOT,
    SLOT,
    SLOT_S,
    WEST,
    Rules,
    amounts_of,
    did_of,
    lines_of,
    market_rules,
)
from tests.contract.stage.market import Market, Opener

NEXT = SLOT + SLOT_S
ORDERS = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """
DELIVERED = """
    meter  import  export
    S      0       500
    B      500     0
    """


def test_short_seller_delivers_in_match_sequence_and_the_retailer_the_rest(
    market: Market,
) -> None:
    """The case "Short, as delivered": t1 at 100,000 in one zone's price range, t2 at 120,000.

    One price holds for a zone, so the two trades of the case, at different prices, are made in
    two zones: the seller has a meter in each, and what it is short is short in the second.
    """
    market.traders("S", "B1")
    market.meter("S-west", holder="S", zone=WEST)
    market.trader("B2", zone=WEST)
    market.place("""
        who  id  side  price   wh    meter
        S    t1  sell  100000  5000  S
        B1   t1  buy   100000  5000  B1
        S    t2  sell  120000  4000  S-west
        B2   t2  buy   120000  4000  B2
        """)
    market.clear()
    assert market.traded() == ["B1/t1 S/t1 5000 100000", "B2/t2 S/t2 4000 120000"]
    market.report("""
        meter   import  export
        S       0       5000
        S-west  0       3000
        B1      6000    0
        B2      4500    0
        """)

    market.settle()

    assert [view.trade.settled_wh for view in market.trades()] == [5000, 3000]
    assert market.posted() == amounts_of("""
        account  nano
        S         860M
        B1       -750M
        B2       -735M
        R1        625M
        """)
    assert market.orders("B2")[0].settled_wh == 3000


def test_one_meter_short_serves_its_trades_in_match_sequence(market: Market) -> None:
    market.traders("S", "B1", "B2")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  9000
        B1   b   buy   110000  5000
        B2   b   buy   100000  4000
        """)
    market.clear()
    market.report("""
        meter  import  export
        S      0       8000
        B1     6000    0
        B2     4500    0
        """)

    market.settle()

    rows = [(t.trade.quantity_wh, t.trade.settled_wh) for t in market.trades()]
    assert rows == [(5000, 5000), (4000, 3000)]
    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.settled_wh, settlement.residual_wh, settlement.surplus_wh) == (8000, 2500, 0)
    assert market.posted() == {
        "S": 800 * MILLION,
        "B1": -(500 + 250) * MILLION,
        "B2": -(300 + 375) * MILLION,
        "R1": (250 + 375) * MILLION,
    }


def test_what_was_not_sold_goes_to_the_offtaker(market: Market) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    market.report("meter import export\nS 0 900\nB 300 0")

    market.settle()

    # 300 Wh traded at 100,000; the rest of the export, over-delivery included, at 60,000.
    assert market.posted() == {"S": (30 + 36) * MILLION, "R1": -36 * MILLION, "B": -30 * MILLION}


def fee_rows() -> list[FeeRow]:
    return [
        FeeRow("grid", DSO, 34_400, 200_000, relation="local"),
        FeeRow("grid", DSO, 57_600, 200_000, relation="regional"),
        FeeRow("grid", DSO, 80_000, 200_000, relation="residual"),
        FeeRow("loss", DSO, 5_000, 200_000),
        FeeRow("levy", "levy", 10_000, 200_000, supplier=DSO, relation="residual"),
    ]


def test_fees_and_vat_go_to_their_payees_and_suppliers(open_market: Opener) -> None:
    """The case "Fees, VAT 20 %": 1,000 Wh local, 800 Wh regional, 1,200 Wh residual.

    A zone of level 7 makes trades local, the root at level 5 makes them regional; the buyer of
    the case has a meter in each.
    """
    market = open_market(Rules(fees=fee_rows(), retailer_vat_ppm=200_000))
    market.traders("S1", "B")
    market.trader("S2", zone=ROOT)
    market.meter("B-root", holder="B", zone=ROOT)
    market.place("""
        who  id  side  price   wh    meter
        S1   s   sell  120000  1000  S1
        B    b1  buy   120000  1000  B
        S2   s   sell  130000  800   S2
        B    b2  buy   130000  800   B-root
        """)
    market.clear()
    market.report("""
        meter   import  export
        S1      0       1000
        S2      0       800
        B       2200    0
        B-root  800     0
        """)

    market.settle()

    relations = [view.trade.relation for view in market.trades()]
    assert relations == ["local", "regional"]
    assert market.posted() == amounts_of("""
        account  nano
        B        -872.976M
        S1        120M
        S2        104M
        R1        300M
        vat:R1    104.8M
        Dso       191.48M
        levy      12M
        vat:Dso   40.696M
        """)
    assert market.posted(kind="fee:grid")[DSO] == 176_480_000
    assert market.posted(kind="fee:loss")[DSO] == 15 * MILLION


def test_cover_holds_fees_and_vat_of_what_is_matched(open_market: Opener) -> None:
    market = open_market(Rules(fees=fee_rows(), retailer_vat_ppm=200_000))
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    # The limit with VAT, and the dearer of the two trade relations' fees with VAT.
    per_wh = 100_000 + 20_000 + 57_600 + 11_520 + 5_000 + 1_000
    assert market.account("B").account.reserved_nano == 500 * per_wh

    market.report(DELIVERED)
    market.settle()

    assert -market.posted()["B"] <= 500 * per_wh
    assert market.account("B").account.reserved_nano == 0


def test_trade_between_clients_of_two_retailers_passes_through_both(
    open_market: Opener,
) -> None:
    market = open_market(Rules(retailer_vat_ppm=200_000))
    market.trader("S", retailer=R2)
    market.trader("B")
    vat = ClientVatArguments("S", SLOT, "taxable", 100_000)
    market.submit("set_client_vat", vat, R2)
    market.place(ORDERS)
    market.clear()
    market.report(DELIVERED)

    market.settle()

    assert market.posted() == {
        "S": 50 * MILLION,
        f"vat:{did_of('S')}": 5 * MILLION,
        "R2": -5 * MILLION,
        "vat:R2": 10 * MILLION,
        "R1": -10 * MILLION,
        "vat:R1": 10 * MILLION,
        "B": -60 * MILLION,
    }


def test_missing_reading_holds_the_slot_until_its_deadline_and_is_then_estimated(
    market: Market,
) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    market.report("meter import export\nS 0 500", others=False)
    deadline_s = SLOT + SLOT_S + market.rules.market.report_deadline_s

    market.clock.now_s = deadline_s - 1
    with pytest.raises(Refused, match=r"READINGS_MISSING: 1 meters .* B first"):
        market.settle()
    market.clock.now_s = deadline_s
    market.settle()

    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.estimated, settlement.settled_wh) == (1, 0)
    assert market.posted() == {"S": 30 * MILLION, "R1": -30 * MILLION}
    assert market.orders("B")[0].settled_wh == 0


def test_reading_that_comes_in_time_after_all_is_settled(market: Market) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    market.report("meter import export\nS 0 500", others=False)
    with pytest.raises(Refused, match="READINGS_MISSING"):
        market.settle()

    market.report("meter import export\nB 500 0", others=False)
    market.settle()

    assert market.posted() == {"S": 50 * MILLION, "R1": 0, "B": -50 * MILLION}


def test_report_sent_again_brings_nothing_even_after_settlement(market: Market) -> None:
    market.traders("S", "B")
    market.clear()
    signed = market.report(DELIVERED)
    before = market.state_hash()

    assert market.send_report(signed).read(Recorded).recorded == 0
    market.settle()
    assert market.send_report(signed).read(Recorded).recorded == 0

    other = market.signed_report([market.leaf("S", import_wh=1)])
    with pytest.raises(Refused, match="READING_REPEATED"):
        market.send_report(other)
    assert market.state_hash() != before


def test_report_is_settled_by_any_order_of_reports_of_a_slot(open_market: Opener) -> None:
    hashes: list[str] = []
    for order in (("S 0 500", "B 500 0"), ("B 500 0", "S 0 500")):
        market = open_market()
        market.traders("S", "B")
        market.place(ORDERS)
        market.clear()
        for row in order:
            market.report(f"meter import export\n{row}", others=False)
        market.settle()
        hashes.append(market.state_hash())

    assert hashes[0] == hashes[1]


def test_certificates_go_from_the_plant_to_who_used_its_energy(market: Market) -> None:
    market.trader("S", source="solar")
    market.trader("diesel", source="")
    market.traders("B1", "B2")
    market.place("""
        who     id  side  price   wh
        S       s   sell   90000  500
        diesel  s   sell  100000  500
        B1      b   buy   120000  600
        B2      b   buy   100000  400
        """)
    market.clear()
    assert market.traded() == lines_of("""
        buy   sell      wh   price
        B1/b  S/s       500  100000
        B1/b  diesel/s  100  100000
        B2/b  diesel/s  400  100000
        """)
    market.report("""
        meter   import  export
        S       0       700
        diesel  0       500
        B1      600     0
        B2      400     0
        """)

    market.settle()

    certificates = {
        name: (account.minted_wh, account.live_wh, account.retired_wh)
        for name in ("S", "diesel", "B1", "B2")
        for account in [market.account(name).account]
    }
    assert certificates == {
        "S": (700, 200, 0),
        "diesel": (0, 0, 0),
        "B1": (0, 0, 500),
        "B2": (0, 0, 0),
    }


def test_settlement_is_not_due_before_the_slot_is_over(market: Market) -> None:
    market.clear()
    market.clock.now_s = SLOT + SLOT_S - 1

    with pytest.raises(Refused, match="SETTLEMENT_EARLY"):
        market.submit("settle_slot", SlotArguments(AREA, SLOT), R1)

    market.clock.now_s += 1
    market.settle()


def test_rule_2_4_slots_may_settle_in_any_order(open_market: Opener) -> None:
    market = open_market(market_rules(report_deadline_s=0))
    market.traders("S", "B")
    for slot in (SLOT, NEXT):
        market.place(ORDERS, slot=slot)
        market.clear(slot)
    market.report(DELIVERED, SLOT)
    market.report("meter import export\nS 0 100\nB 100 0", NEXT)

    market.settle(NEXT, member=DSO)
    market.settle(SLOT, member=R2)

    assert market.posted(NEXT)["S"] == 10 * MILLION
    assert market.posted(SLOT)["S"] == 50 * MILLION


def test_reading_belongs_to_the_collection_and_not_to_the_public_state(market: Market) -> None:
    market.traders("S", "B")
    market.clear()
    before = market.state_hash()

    market.report(DELIVERED)

    assert market.state_hash() == before
    with pytest.raises(Refused, match="ROLE_WRONG"):
        market.send_report(market.signed_report([market.leaf("S")]), DSO)
    assert ORACLE != DSO
