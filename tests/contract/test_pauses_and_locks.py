"""What stops trade: paused zones and all below them, locked participants; and what resumes it."""

from __future__ import annotations

import pytest

from chaincode.area.capacities import CapacityArguments
from chaincode.area.zones import AreaName, PauseArguments
from chaincode.errors import Refused
from chaincode.queries.market import AreaAnswer
from tests.contract.stage.cast import AREA, DSO, EAST, R2, ROOT, SLOT, SLOT_S, WEST
from tests.contract.stage.market import Market
from tests.contract.stage.tokens import order_of

NEXT = SLOT + SLOT_S
TWO_IN_EAST_TWO_IN_WEST = """
    who  id  side  price   wh
    S1   s   sell  100000  500
    B1   b   buy   100000  500
    S2   s   sell  100000  300
    B2   b   buy   100000  300
    """


def four_traders(market: Market) -> None:
    market.traders("S1", "B1", zone=EAST)
    market.traders("S2", "B2", zone=WEST)


def pause(market: Market, zone: str) -> None:
    market.submit("pause_zone", PauseArguments(zone, "works"), DSO)


def resume(market: Market, zone: str) -> None:
    market.submit("resume_zone", PauseArguments(zone, "works"), DSO)


def test_paused_zone_takes_no_orders_and_leaves_resting_ones_out(market: Market) -> None:
    four_traders(market)
    market.place(TWO_IN_EAST_TWO_IN_WEST)
    pause(market, EAST)

    new = market.tokens.sheet("S1", [order_of("t", "sell", [(100_000, 500)])])
    assert market.codes([new]) == ["ZONE_PAUSED"]
    assert market.amend("S1", "s", 1, [(100_000, 400)]) == "ZONE_PAUSED"
    market.clear()

    assert market.traded() == ["B2/b S2/s 300 100000"]
    assert market.states("S1") == {"s": "EXPIRED"}


def test_order_in_a_paused_zone_can_be_withdrawn(market: Market) -> None:
    four_traders(market)
    market.place(TWO_IN_EAST_TWO_IN_WEST)
    pause(market, EAST)

    assert market.cancel("S1", "s") == "CANCELLED"


def test_resumed_zone_trades_what_rested_through_the_pause(market: Market) -> None:
    four_traders(market)
    market.place(TWO_IN_EAST_TWO_IN_WEST)
    pause(market, EAST)
    resume(market, EAST)

    market.clear()

    assert market.traded() == ["B1/b S1/s 500 100000", "B2/b S2/s 300 100000"]


def test_paused_root_stops_the_whole_area_and_other_slots_go_on_later(market: Market) -> None:
    four_traders(market)
    market.place(TWO_IN_EAST_TWO_IN_WEST)
    market.place(TWO_IN_EAST_TWO_IN_WEST, slot=NEXT)
    pause(market, ROOT)

    market.clear(SLOT)
    resume(market, ROOT)
    market.clear(NEXT)

    assert market.traded(SLOT) == []
    assert len(market.traded(NEXT)) == 2


def test_pause_in_the_middle_of_a_tree_stops_what_is_below_it_alone(market: Market) -> None:
    market.zone("street", EAST)
    market.zone("house", "street")
    market.zone("lane", EAST)
    for zone in (ROOT, EAST, "street", "house", "lane"):
        market.traders(f"S-{zone}", f"B-{zone}", zone=zone)
    rows = [
        row
        for zone in (ROOT, EAST, "street", "house", "lane")
        for row in (f"S-{zone} s sell 100000 100", f"B-{zone} b buy 100000 100")
    ]
    market.place("\n".join(["who id side price wh", *rows]))
    pause(market, "street")

    tokens = [
        market.tokens.sheet(f"S-{zone}", [order_of("t", "sell", [(100_000, 1)])], zone=zone)
        for zone in (ROOT, EAST, "street", "house", "lane")
    ]
    assert market.codes(tokens) == ["PLACED", "PLACED", "ZONE_PAUSED", "ZONE_PAUSED", "PLACED"]
    market.clear()

    assert [zone.zone for zone in market.slot().zones] == [EAST, "lane", ROOT]
    assert [zone.volume_wh for zone in market.slot().zones] == [100, 100, 100]


def test_resuming_below_a_pause_changes_nothing_while_it_lasts(market: Market) -> None:
    market.zone("street", EAST)
    market.traders("S", "B", zone="street")
    pause(market, EAST)
    pause(market, "street")
    resume(market, "street")
    sheet = market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)])], zone="street")

    assert market.codes([sheet]) == ["ZONE_PAUSED"]
    resume(market, EAST)
    assert market.codes([sheet]) == ["PLACED"]


def test_capacity_of_an_edge_is_kept_by_date_and_touches_no_zones_own_trade(
    market: Market,
) -> None:
    four_traders(market)
    for slot, export_w in ((SLOT, 0), (NEXT, 4000)):
        edge = CapacityArguments(
            EAST, import_w=None, export_w=export_w, from_slot=slot, reason="works"
        )
        market.submit("set_zone_capacity", edge, DSO)
    market.place(TWO_IN_EAST_TWO_IN_WEST)

    market.clear()

    assert len(market.traded()) == 2
    area = market.ask("describe_area", AreaName(AREA), AreaAnswer).area
    assert [(zone.id, zone.parent) for zone in area.zones] == [
        (ROOT, None),
        (EAST, ROOT),
        (WEST, ROOT),
    ]


def test_locked_participant_places_nothing_and_its_resting_order_is_left_out(
    market: Market,
) -> None:
    four_traders(market)
    market.place(TWO_IN_EAST_TWO_IN_WEST)
    assert market.act("lock", "S1", 1).applied
    new = market.tokens.sheet("S1", [order_of("t", "sell", [(100_000, 1)])])

    assert market.codes([new]) == ["TRADER_LOCKED"]
    assert market.amend("S1", "s", 1, [(100_000, 400)]) == "TRADER_LOCKED"
    market.clear()

    assert market.traded() == ["B2/b S2/s 300 100000"]
    assert market.states("S1") == {"s": "EXPIRED"}
    assert market.states("B1") == {"b": "EXPIRED"}


def test_locked_participant_may_withdraw_and_is_settled(market: Market) -> None:
    four_traders(market)
    market.place(TWO_IN_EAST_TWO_IN_WEST)
    market.place("who id side price wh\nS1 t sell 150000 100")
    market.act("lock", "S1", 1)
    assert market.cancel("S1", "t") == "CANCELLED"
    market.act("unlock", "S1", 2)
    market.clear()

    market.act("lock", "S1", 3)
    market.report("meter import export\nS1 0 500\nB1 500 0")
    market.settle()

    assert market.posted()["S1"] == 500 * 100_000
    assert market.states("S1") == {"s": "SETTLED", "t": "CANCELLED"}


def test_acts_apply_once_each_in_their_order_whoever_carries_them(market: Market) -> None:
    market.trader("S")
    sheet = market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 1)])])

    with pytest.raises(Refused, match="ACT_SEQUENCE"):
        market.act("unlock", "S", 2)
    assert market.act("lock", "S", 1, member=R2).applied
    before = market.state_hash()
    assert not market.act("lock", "S", 1, member=DSO).applied
    assert market.state_hash() == before
    assert market.codes([sheet]) == ["TRADER_LOCKED"]
    assert market.act("unlock", "S", 2).applied
    assert not market.act("lock", "S", 1).applied  # an old act brings no lock back
    assert market.codes([sheet]) == ["PLACED"]
