"""What members may ask of meters: certified versions, readings with theirs, what a slot settled."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.errors import Refused
from chaincode.metering.reports import leaf_bytes, merkle_root
from chaincode.queries.meters import (
    MeteredAnswer,
    MetersAnswer,
    MetersArguments,
    ReadingsAnswer,
    ReadingsArguments,
)
from chaincode.slots.gate import (
    PageArguments,
)
from tests.contract.stage.cast import AREA, GUEST, ORACLE, R1, R2, REGULATOR, SLOT, SLOT_S, did_of
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
ORDERS = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def readings(market: Market, boundary: int = NEXT, *, after: str = "") -> ReadingsAnswer:
    return market.ask("list_readings", ReadingsArguments(AREA, boundary, after), ReadingsAnswer)


def test_meters_are_listed_with_all_their_versions(market: Market) -> None:
    market.traders("S", "B")
    market.meter("B", power_w=7_000, from_slot=NEXT)

    answer = market.ask("list_meters", MetersArguments(AREA), MetersAnswer)

    assert [meter.meter for meter in answer.meters] == ["B", "S"]
    versions = answer.meters[0].versions
    dated = [(v.from_slot, v.value and v.value.import_w) for v in versions]
    assert dated == [(SLOT, 40_000), (NEXT, 7_000)]
    assert [v.value and v.value.holder for v in versions] == [did_of("B")] * 2
    assert [v.value and v.value.retailer for v in answer.meters[0].supplies] == [R1, R1]
    assert answer.after is None


def test_page_goes_on_behind_the_meter_that_is_named(market: Market) -> None:
    market.traders("A", "B", "C")
    market.report("meter import export\nA 1 0\nB 2 0\nC 3 0")

    meters = market.ask("list_meters", MetersArguments(AREA, "A"), MetersAnswer)
    page = readings(market, after="B")

    assert [meter.meter for meter in meters.meters] == ["B", "C"]
    assert [reading.leaf.meter for reading in page.readings] == ["C"]


@pytest.mark.parametrize("member", [R2, ORACLE, REGULATOR])
def test_readings_are_listed_for_members_that_hold_them(market: Market, member: str) -> None:
    market.traders("S", "B", "mute")
    market.report("meter import export\nS 0 500\nB 450 0", others=False)

    arguments = ReadingsArguments(AREA, NEXT)
    answer = market.ask("list_readings", arguments, ReadingsAnswer, member)

    assert [(reading.rank, reading.leaf.meter) for reading in answer.readings] == [
        ("oracle", "B"),
        ("oracle", "S"),
    ]
    assert answer.readings[0].leaf.import_wh == 450
    root = merkle_root([leaf_bytes(reading.leaf) for reading in answer.readings])
    assert [reading.root for reading in answer.readings] == [root, root]
    assert answer.after is None
    assert [reading.leaf.import_wh for reading in readings(market, SLOT).readings] == [0, 0]
    assert readings(market, NEXT + SLOT_S).readings == []


def test_validated_register_is_listed_with_the_one_that_it_replaced(market: Market) -> None:
    market.traders("S", "B")
    market.report("meter import export\nS 0 500\nB 450 0")

    market.validate(market.leaf("B", import_wh=50))

    reading = readings(market).readings[0]
    assert (reading.rank, reading.leaf.import_wh) == ("dso", 500)
    assert [(one.rank, one.leaf.import_wh) for one in reading.replaced] == [("oracle", 450)]


def test_nobody_but_a_member_of_the_contract_may_ask(market: Market) -> None:
    for name, arguments in (
        ("list_meters", MetersArguments(AREA)),
        ("list_readings", ReadingsArguments(AREA, SLOT)),
        ("list_metered", PageArguments(AREA, SLOT)),
    ):
        with pytest.raises(Refused, match="ORGANISATION_UNKNOWN"):
            market.ask(name, arguments, msgspec.Raw, GUEST)


def test_what_a_slot_settled_is_listed_by_meter(market: Market) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    before = market.ask("list_metered", PageArguments(AREA, SLOT), MeteredAnswer, R1)
    market.report("meter import export\nS 0 700\nB 450 0")

    market.settle()

    answer = market.ask("list_metered", PageArguments(AREA, SLOT), MeteredAnswer, R1)
    rows = [
        (m.meter, m.residual_wh, m.surplus_wh, m.minted_wh, m.retired_wh) for m in answer.meters
    ]
    assert (before.meters, before.pages) == ([], 0)
    assert rows == [("B", 0, 0, 0, 0), ("S", 0, 250, 700, 450)]
    assert answer.pages == 1
