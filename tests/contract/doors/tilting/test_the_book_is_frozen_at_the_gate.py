"""Door 15: the DSO pauses a zone, or has a trader locked, when a clearing has begun."""

from __future__ import annotations

from chaincode.area.zones import AreaName, PauseArguments, ZoneArguments
from chaincode.clearing.order_book import LeftOut
from chaincode.queries.market import AreaAnswer
from tests.contract.stage.cast import AREA, DSO, EAST, SLOT, WEST, did_of
from tests.contract.stage.large_book import place_large_book
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

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
    market.place(TWO_IN_EAST_TWO_IN_WEST)


def pause(market: Market, zone: str) -> None:
    market.submit("pause_zone", PauseArguments(zone, "works"), DSO)


def resume(market: Market, zone: str) -> None:
    market.submit("resume_zone", PauseArguments(zone, "works"), DSO)


def test_door_15_dso_pauses_a_zone_and_has_a_trader_locked_in_the_middle_of_a_clearing(
    open_market: Opener,
) -> None:
    market = open_market(prepare=place_large_book)
    market.close_gate()
    assert market.clear_part() == "CLEARING"

    pause(market, EAST)
    market.act("lock", "S", 1)
    market.act("lock", "B109", 2)
    while market.clear_part() != "CLEARED":
        pass
    resume(market, EAST)

    assert sum(view.trade.quantity_wh for view in market.trades()) == 2_500
    row = market.slot().row
    assert row is not None
    assert row.quantity_wh == [0, 110 * 50 + 2_500, 0]  # of root, east and west


def test_door_15_dso_pauses_a_zone_between_gate_and_clearing(market: Market) -> None:
    four_traders(market)
    market.close_gate()

    pause(market, EAST)
    market.clear()

    assert market.traded() == ["B1/b S1/s 500 100000", "B2/b S2/s 300 100000"]
    later = market.tokens.sheet("S1", [order_of("t", "sell", [(1, 1)], slot=SLOT + 900)])
    assert market.codes([later]) == ["ZONE_PAUSED"]  # from the next gate on the pause holds


def test_door_15_dso_resumes_a_zone_between_gate_and_clearing(market: Market) -> None:
    four_traders(market)
    pause(market, EAST)
    market.close_gate()

    resume(market, EAST)
    market.clear()

    assert market.traded() == ["B2/b S2/s 300 100000"]


def test_door_15_regulators_locks_after_the_gate_leave_the_book_as_it_was(market: Market) -> None:
    four_traders(market)
    market.act("lock", "S2", 1)
    market.close_gate()

    market.act("lock", "S1", 2)
    market.act("unlock", "S2", 3)
    market.clear()

    assert market.traded() == ["B1/b S1/s 500 100000"]
    assert {name: market.orders(name)[0].left_out for name in ("S1", "S2")} == {
        "S1": "",
        "S2": "LOCKED",
    }


def test_rule_4_2_the_gate_record_names_what_was_frozen(market: Market) -> None:
    four_traders(market)
    pause(market, WEST)
    market.act("lock", "S1", 1)
    market.close_gate()
    market.act("unlock", "S1", 2)
    resume(market, WEST)
    market.submit("register_zone", ZoneArguments(AREA, "new", EAST, 7), admin=True)

    gate = market.slot().gate

    assert gate is not None
    assert (gate.paused, gate.zones, gate.locks, gate.seeds) == ([WEST], 3, 1, [DSO])
    assert gate.epoch == 0
    area = market.ask("describe_area", AreaName(AREA), AreaAnswer).area
    assert len(area.zones) == 4
    market.clear()
    assert market.traded() == []
    assert LeftOut(f"{did_of('S2')}/s", "ZONE_PAUSED").reason == market.orders("S2")[0].left_out
