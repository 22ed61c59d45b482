"""Doors 5, 8 and 9: who answers for a meter, how often it may change, and how it ends."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.tariffs import VatArguments
from chaincode.errors import Refused
from chaincode.metering.certification import RetirementArguments
from chaincode.metering.last_resort import (
    AgreementArguments,
    AssignmentArguments,
    LastResortArguments,
)
from chaincode.metering.supply import ClientVatArguments, OfftakeArguments, SupplyArguments
from chaincode.queries.meters import MeterSlot, MeterView
from tests.contract.stage.cast import (
    AREA,
    DSO,
    EAST,
    MILLION,
    R1,
    R2,
    SLOT,
    SLOT_S,
    Rules,
    did_of,
    market_rules,
)
from tests.contract.stage.ladders import struct_of
from tests.contract.stage.market import Market, Opener

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
LATER = SLOT + 10 * SLOT_S
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


def supplier(market: Market, meter: str, slot: int = SLOT) -> tuple[str, str] | None:
    """The retailer and the offtaker of a meter in a slot."""
    found = market.ask("describe_meter", MeterSlot(meter, slot), MeterView).supply
    return None if found is None else (found.retailer, found.offtaker)


def settled(market: Market, slot: int = SLOT) -> None:
    """Clear, read and settle a slot of S and B."""
    market.clear(slot)
    market.report(DELIVERED, slot)
    market.settle(slot)


# Door 5


def test_door_5_the_retailer_that_supplies_pays_and_not_the_one_that_admitted(
    market: Market,
) -> None:
    market.trader("B")
    market.trader("S", retailer=R2)  # admitted by R2, which also supplies it at first
    market.supply("S", holder="S", retailer=R1, from_slot=NEXT)
    for slot in (SLOT, NEXT):
        market.place(ORDERS, slot=slot)

    settled(market)
    first = market.posted()
    settled(market, NEXT)

    assert {"R1", "R2"} <= set(first)  # the energy passes from S through R2 to R1
    assert set(market.posted(NEXT)) & {"R1", "R2"} <= {"R1"}


def test_door_5_a_retailer_that_supplies_no_meter_of_a_client_sets_no_vat_of_it(
    open_market: Opener,
) -> None:
    market = open_market(Rules(retailer_vat_ppm=200_000))
    market.trader("B")
    market.trader("S", retailer=R2)
    market.supply("S", holder="S", retailer=R1, from_slot=NEXT)
    stolen = ClientVatArguments("S", NEXT, "taxable", 1_000_000)

    with pytest.raises(Refused, match="NOT_SUPPLIER"):
        market.submit("set_client_vat", stolen, R2)
    market.submit("set_client_vat", ClientVatArguments("S", SLOT, "taxable", 1_000_000), R2)
    market.place(ORDERS, slot=NEXT)
    market.clear(SLOT)
    settled(market, NEXT)

    # What R2 recorded for its own slot is not what R1 pays, which was never asked.
    assert f"vat:{did_of('S')}" not in market.posted(NEXT)


def test_door_5_two_suppliers_of_one_client_each_pay_the_vat_that_they_recorded(
    market: Market,
) -> None:
    market.trader("B")
    market.trader("S", retailer=R1)
    market.meter("S2", holder="S", retailer=R2)
    market.submit("set_client_vat", ClientVatArguments("S2", SLOT, "taxable", 1_000_000), R2)
    market.place(ORDERS)
    settled(market)

    assert f"vat:{did_of('S')}" not in market.posted()


def test_door_5_nobody_becomes_the_retailer_of_a_meter_unasked(market: Market) -> None:
    market.trader("S")
    market.meter("dark", holder="S", retailer="")
    certificate = {
        "meter": "dark",
        "holder": did_of("S"),
        "zone": EAST,
        "grid_level": 7,
        "import_w": 1,
        "export_w": 1,
        "from_slot": NEXT,
    }

    named = struct_of(certificate | {"retailer": R2})
    with pytest.raises(Refused, match="ARGUMENTS_INVALID"):
        market.submit("register_certified_meter", named)
    assert supplier(market, "dark") is None
    token = market.tokens.supply("S", "dark", R2)
    with pytest.raises(Refused, match="SUPPLY_NOT_NAMED"):
        market.submit("accept_supply", SupplyArguments(token), R1)
    with pytest.raises(Refused, match="OFFTAKE_MISSING"):
        market.supply("dark", holder="S", retailer=R1, offtaker=R2)
    assert supplier(market, "dark") is None


# Rules 3.2, 3.3


def test_rule_3_2_the_supplier_of_the_slot_answers_for_its_meter(market: Market) -> None:
    market.trader("B")
    market.trader("S", retailer=R2)
    market.submit("agree_to_offtake", OfftakeArguments("S", NEXT), R1)
    market.supply("S", holder="S", retailer=R2, from_slot=NEXT, offtaker=R1)

    assert [supplier(market, "S", slot) for slot in (SLOT - SLOT_S, SLOT, NEXT, LATER)] == [
        None,
        (R2, R2),
        (R2, R1),
        (R2, R1),
    ]
    for slot in (SLOT, NEXT):
        market.clear(slot)
        market.report("meter import export\nS 0 100\nB 0 0", slot)
        market.settle(slot)
    assert market.posted() == {"S": 6 * MILLION, "R2": -6 * MILLION}
    assert market.posted(NEXT) == {"S": 6 * MILLION, "R1": -6 * MILLION}


def test_rule_3_3_a_supply_needs_the_retailer_and_the_holder(market: Market) -> None:
    market.traders("S", "B")
    forged = market.tokens.supply("B", "S", R2, from_slot=NEXT)
    late = market.tokens.supply("S", "S", R2, from_slot=NEXT, valid_until_s=market.clock.now_s - 1)

    with pytest.raises(Refused, match="METER_NOT_HELD"):
        market.submit("accept_supply", SupplyArguments(forged), R2)
    with pytest.raises(Refused, match="INTENT_EXPIRED"):
        market.submit("accept_supply", SupplyArguments(late), R2)
    market.supply("S", holder="S", retailer=R2, from_slot=NEXT)

    assert supplier(market, "S") == (R1, R1)
    assert supplier(market, "S", NEXT) == (R2, R2)


def test_rule_3_3_an_accepted_supply_is_not_replaced_by_an_older_signature(
    market: Market,
) -> None:
    market.trader("S")
    older = market.tokens.supply("S", "S", R1, from_slot=NEXT)
    market.supply("S", holder="S", retailer=R2, from_slot=NEXT)

    with pytest.raises(Refused, match="SUPPLY_TAKEN"):
        market.submit("accept_supply", SupplyArguments(older), R1)


def test_rule_3_3_the_dso_assigns_a_supplier_of_last_resort_that_has_agreed(
    market: Market,
) -> None:
    market.traders("S", "B")
    assignment = AssignmentArguments("S", LATER)
    named = LastResortArguments(AREA, R2, NEXT)
    market.submit("name_supplier_of_last_resort", named, admin=True)

    with pytest.raises(Refused, match="LAST_RESORT_MISSING"):
        market.submit("assign_supplier_of_last_resort", assignment)
    agreement = AgreementArguments(AREA, NEXT, LATER + SLOT_S)
    market.submit("agree_to_last_resort", agreement, R2, admin=True)
    market.submit("assign_supplier_of_last_resort", assignment)

    assert supplier(market, "S", LATER - SLOT_S) == (R1, R1)
    assert supplier(market, "S", LATER) == (R2, R2)
    beyond = AssignmentArguments("B", LATER + SLOT_S)
    with pytest.raises(Refused, match="LAST_RESORT_MISSING"):
        market.submit("assign_supplier_of_last_resort", beyond)


def test_rule_3_3_a_new_holder_is_supplied_only_once_it_has_agreed(market: Market) -> None:
    market.traders("S", "B", "heir")
    market.meter("S", holder="heir", retailer="", from_slot=NEXT)

    assert supplier(market, "S") == (R1, R1)
    assert supplier(market, "S", NEXT) is None
    named = LastResortArguments(AREA, R2, NEXT)
    market.submit("name_supplier_of_last_resort", named, admin=True)
    agreement = AgreementArguments(AREA, NEXT, LATER)
    market.submit("agree_to_last_resort", agreement, R2, admin=True)
    with pytest.raises(Refused, match="HOLDER_NOT_AGREED"):
        market.submit("assign_supplier_of_last_resort", AssignmentArguments("S", NEXT))
    market.supply("S", holder="heir", retailer=R2, from_slot=THIRD)
    assert supplier(market, "S", THIRD) == (R2, R2)


def test_rule_3_3_a_meter_without_supply_neither_trades_nor_holds_up_a_slot(
    market: Market,
) -> None:
    market.traders("S", "B")
    market.meter("dark", holder="S", retailer="")
    sheet = "who id side price wh meter\nS d sell 100000 10 dark"

    market.open()
    with pytest.raises(AssertionError, match="SUPPLY_MISSING"):
        market.place(sheet)
    settled(market)
    with pytest.raises(Refused, match="SUPPLY_MISSING"):
        market.send_report(market.signed_report([market.leaf("dark", import_wh=5)]))

    settlement = market.slot().settlement
    assert settlement is not None
    assert settlement.estimated == 0


# Rule 4.1: supply, certificates and VAT are dated to slots that have not opened


def test_rule_4_1_supply_of_an_open_slot_is_frozen(market: Market) -> None:
    market.traders("S", "B")
    market.open()
    calls = (
        ("accept_supply", SupplyArguments(market.tokens.supply("S", "S", R2)), R2),
        ("agree_to_offtake", OfftakeArguments("S", SLOT), R2),
        ("set_client_vat", ClientVatArguments("S", SLOT, "taxable", 1), R1),
        ("retire_meter", RetirementArguments("S", SLOT), DSO),
        ("name_supplier_of_last_resort", LastResortArguments(AREA, R2, SLOT), DSO),
    )

    before = market.state_hash()
    for name, arguments, member in calls:
        with pytest.raises(Refused, match="TERMS_FROZEN"):
            market.submit(name, arguments, member, admin=True)
    assert market.state_hash() == before


# Door 8


def test_door_8_a_meter_is_certified_and_supplied_anew_three_hundred_times(
    market: Market,
) -> None:
    market.traders("S", "B")

    def change_often(market: Market) -> None:
        for number in range(1, 301):
            slot = SLOT + number * SLOT_S
            market.meter("S", retailer="", from_slot=slot, power_w=4_000 + number)
            market.supply("S", holder="S", retailer=(R1, R2)[number % 2], from_slot=slot)

    market.leap(change_often)

    for number in (0, 1, 2, 150, 297, 299, 300):
        found = market.ask("describe_meter", MeterSlot("S", SLOT + number * SLOT_S), MeterView)
        assert found.version is not None
        assert found.supply is not None
        assert found.version.import_w == (4_000 + number if number else 40_000)
        assert found.supply.retailer == ((R1, R2)[number % 2] if number else R1)
    market.place(ORDERS)
    settled(market)
    assert market.posted()["S"] == 50 * MILLION


# Door 9


def test_door_9_a_retired_meter_is_expected_nowhere(open_market: Opener) -> None:
    market = open_market(market_rules(report_deadline_s=3_600))
    market.traders("S", "B", "gone")
    market.submit("retire_meter", RetirementArguments("gone", NEXT))
    for slot in (SLOT, NEXT):
        market.place(ORDERS, slot=slot)
        market.clear(slot)
    market.report(DELIVERED)
    market.settle()
    market.report(DELIVERED, NEXT, others=False)

    market.settle(NEXT)  # at once, long before the deadline for readings

    settlement = market.slot(NEXT).settlement
    assert settlement is not None
    assert settlement.estimated == 0
    with pytest.raises(Refused, match="SUPPLY_MISSING"):
        market.send_report(market.signed_report([market.leaf("gone", THIRD)]))


def test_rule_4_4_a_retired_meter_comes_back_with_a_new_certificate_and_supply(
    market: Market,
) -> None:
    market.traders("S", "B")
    market.submit("retire_meter", RetirementArguments("S", NEXT))
    market.meter("S", retailer="", from_slot=LATER)

    assert supplier(market, "S") == (R1, R1)
    assert supplier(market, "S", NEXT) is None
    assert supplier(market, "S", LATER) is None  # the earlier supply has ended
    market.supply("S", holder="S", retailer=R2, from_slot=LATER + SLOT_S)
    assert supplier(market, "S", LATER + SLOT_S) == (R2, R2)


def test_members_record_their_own_vat_only(market: Market) -> None:
    market.trader("S")
    own = VatArguments(AREA, NEXT, "taxable", 190_000)
    market.submit("set_vat", own, R1)

    others = struct_of(msgspec.structs.asdict(own) | {"party": did_of("S")})
    with pytest.raises(Refused, match="ARGUMENTS_INVALID"):
        market.submit("set_vat", others, R1)
