"""Rule 6.6: exchanges of devices, what they have to fit, and which slots they change."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.metering.exchanges import (
    EXCHANGES_MAX,
    TRANSIENT_EXCHANGE,
    ExchangeArguments,
    ExchangeRegisters,
    MeterExchanged,
    exchange_key,
)
from chaincode.metering.readings import COLLECTION
from chaincode.slots.gate import SlotArguments
from identity.canonical import encode
from tests.chaincode.crowd import private_place, put_register
from tests.chaincode.town import AREA, ORACLE, OTHER_DSO, SLOT, SLOT_S, Town

METER = "m000"
NEXT = SLOT + SLOT_S
LATE = SLOT + 10 * SLOT_S


def registers(closing_wh: int, opening_wh: int) -> dict[str, bytes]:
    """The import registers of an exchange; no register of export or generation ran."""
    exchange = ExchangeRegisters(
        closing_export_wh=0,
        closing_generation_wh=None,
        closing_import_wh=closing_wh,
        opening_export_wh=0,
        opening_generation_wh=None,
        opening_import_wh=opening_wh,
        salt="ab" * 32,
    )
    return {TRANSIENT_EXCHANGE: encode(exchange)}


def exchange(town: Town, slot: int, closing_wh: int, opening_wh: int) -> None:
    town.submit(
        "exchange_meter",
        ExchangeArguments(METER, slot),
        transient=registers(closing_wh, opening_wh),
    )


def refusal(town: Town, slot: int, closing_wh: int, opening_wh: int) -> str:
    return town.refused(
        "exchange_meter",
        ExchangeArguments(METER, slot),
        transient=registers(closing_wh, opening_wh),
    )


def report(town: Town, boundary: int) -> None:
    """Report that the meter shows 0 Wh."""
    arguments, transient = town.report(boundary, [town.leaf(METER, boundary)])
    town.submit("record_readings", arguments, ORACLE, transient=transient)


@pytest.fixture
def town() -> Town:
    """One household, read at the first boundary and, with its new device, at the last one."""
    town = Town(1, slots=1)
    town.at(LATE)
    put_register(town, METER, SLOT, 1_000, 0)
    return town


def test_same_exchange_again_changes_nothing_and_another_one_is_refused(town: Town) -> None:
    exchange(town, NEXT, 1_100, 5)
    changes, private = town.view.kept.changes, dict(town.view.private)

    exchange(town, NEXT, 1_100, 5)

    assert (town.view.kept.changes, town.view.private) == (changes, private)
    assert refusal(town, NEXT, 1_101, 5) == "EXCHANGE_EXISTS"


def test_registers_stay_private(town: Town) -> None:
    exchange(town, NEXT, 1_100, 5)

    assert not [value for value in town.view.rows.values() if b"1100" in value]
    assert private_place(COLLECTION, exchange_key(METER, NEXT)) in town.view.private


def test_rule_6_6_closing_is_not_below_what_the_old_device_showed(town: Town) -> None:
    assert refusal(town, NEXT, 999, 0) == "READING_BACKWARDS"
    exchange(town, NEXT, 1_000, 0)


def test_opening_is_not_above_what_the_new_device_showed(town: Town) -> None:
    put_register(town, METER, LATE, 1_050, 0)

    assert refusal(town, NEXT, 1_000, 1_051) == "READING_BACKWARDS"
    exchange(town, NEXT, 1_000, 1_050)


def test_rule_6_3_no_device_moved_faster_than_the_power_certified(town: Town) -> None:
    """The DSO writes any closing register, and certificates and money come of it.

    4,000 W over two slots for the old device and over nine for the new one, 5 %, and two steps.
    """
    put_register(town, METER, LATE, 20_000, 0)

    assert refusal(town, NEXT, 1_000 + 2_103, 19_000) == "READING_IMPLAUSIBLE"
    assert refusal(town, NEXT, 2**53 - 1, 19_000) == "READING_IMPLAUSIBLE"
    assert refusal(town, NEXT, 1_000, 20_000 - 9_453) == "READING_IMPLAUSIBLE"
    exchange(town, NEXT, 1_000 + 2_102, 20_000 - 9_452)


def test_rule_6_3_devices_of_other_exchanges_count_from_their_slots(town: Town) -> None:
    put_register(town, METER, LATE, 40, 0)
    exchange(town, SLOT + 2 * SLOT_S, 1_010, 7)
    exchange(town, SLOT + 6 * SLOT_S, 4_000, 20)
    middle = SLOT + 4 * SLOT_S

    assert refusal(town, middle, 7 + 3_153, 4_000 - 3_152) == "READING_IMPLAUSIBLE"
    assert refusal(town, middle, 7 + 3_152, 4_000 - 3_153) == "READING_IMPLAUSIBLE"
    exchange(town, middle, 7 + 3_152, 4_000 - 3_152)


@pytest.mark.parametrize("first", [SLOT, NEXT])
def test_registers_measured_later_are_held_against_an_exchange(first: int) -> None:
    """In whatever order registers at its two ends come, each device is held to its power."""
    town = Town(1, slots=1)
    town.at(LATE)
    exchange(town, SLOT, 10_000, 0)
    last = NEXT if first == SLOT else SLOT

    report(town, first)
    arguments, transient = town.report(last, [town.leaf(METER, last)])

    code = town.refused("record_readings", arguments, ORACLE, transient=transient)
    assert code == "READING_IMPLAUSIBLE"


def test_exchanges_around_it_show_what_its_devices_showed(town: Town) -> None:
    """Three devices within a gap: each is held against its own registers only."""
    put_register(town, METER, LATE, 40, 0)
    exchange(town, SLOT + 2 * SLOT_S, 1_010, 7)
    exchange(town, SLOT + 6 * SLOT_S, 30, 20)

    assert refusal(town, SLOT + 4 * SLOT_S, 6, 0) == "READING_BACKWARDS"
    assert refusal(town, SLOT + 4 * SLOT_S, 9, 31) == "READING_BACKWARDS"
    exchange(town, SLOT + 4 * SLOT_S, 9, 30)


@pytest.mark.parametrize(
    ("later", "span"), [(None, (SLOT, None)), (LATE, (SLOT, LATE))], ids=["open", "closed"]
)
def test_event_names_the_slots_whose_energy_changes(
    town: Town, later: int | None, span: tuple[int, int | None]
) -> None:
    if later is not None:
        put_register(town, METER, later, 1_050, 0)

    exchange(town, NEXT, 1_020, 30)

    event = msgspec.json.decode(town.engine.events[-1].data, type=MeterExchanged)
    assert event == MeterExchanged(AREA, METER, NEXT, *span)


def test_exchange_is_recorded_from_its_slot_on_until_the_slot_is_final(town: Town) -> None:
    early = LATE + SLOT_S
    assert refusal(town, early, 1_000, 0) == "REPORT_EARLY"
    town.at(NEXT + town.rules.final_s)

    assert refusal(town, SLOT, 1_000, 0) == "SLOT_FINAL"
    exchange(town, NEXT, 1_000, 0)


def test_only_the_dso_of_the_meter_records_an_exchange(town: Town) -> None:
    arguments = ExchangeArguments(METER, NEXT)

    code = town.refused("exchange_meter", arguments, OTHER_DSO, transient=registers(1_000, 0))

    assert code == "NOT_AREA_DSO"


def test_purged_exchange_is_never_taken_for_none(town: Town) -> None:
    exchange(town, SLOT, 1_100, 5)
    put_register(town, METER, NEXT, 9, 0)
    del town.view.private[private_place(COLLECTION, exchange_key(METER, SLOT))]
    town.close_gate(SLOT)
    town.clear(SLOT)

    assert town.refused("settle_slot", SlotArguments(AREA, SLOT)) == "READING_PURGED"


def test_meter_has_a_bounded_number_of_exchanges(town: Town) -> None:
    town.at(SLOT + 60 * SLOT_S)
    for number in range(EXCHANGES_MAX):
        exchange(town, SLOT + number * SLOT_S, 1_000 + number, 1_000 + number)

    code = refusal(town, SLOT + EXCHANGES_MAX * SLOT_S, 1_050, 0)

    assert code == "EXCHANGES_TOO_MANY"


def test_rule_6_8_no_exchange_moves_energy_into_or_out_of_a_final_slot(town: Town) -> None:
    put_register(town, METER, LATE, 1_010, 0)
    town.at(NEXT + town.rules.final_s)

    assert refusal(town, LATE - SLOT_S, 1_010, 1_000) == "SLOT_FINAL"
