"""Registers that come after slots have settled, and the corrections that settle them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from chaincode.metering.readings import Leaf
from chaincode.metering.reports import ReadingsRecorded, Recorded
from chaincode.queries.meters import MeteredAnswer
from chaincode.slots.gate import PageArguments, SlotArguments
from tests.chaincode.crowd import cut_after, small_pages
from tests.chaincode.town import AREA, ORACLE, SLOT, SLOT_S, Town

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
SALT = "5a" * 32
Energy = tuple[int, int, bool]


def leaf(meter: str, boundary: int, import_wh: int, export_wh: int = 0) -> Leaf:
    """What a meter shows at a boundary."""
    return Leaf(
        boundary=boundary,
        export_wh=export_wh,
        import_wh=import_wh,
        meter=meter,
        resolution_wh=1,
        salt=SALT,
    )


def record(town: Town, leaves: Sequence[Leaf]) -> int:
    """How many readings a well signed report of one boundary brings."""
    arguments, transient = town.report(leaves[0].boundary, leaves)
    answer = town.submit("record_readings", arguments, ORACLE, transient=transient)
    return msgspec.json.decode(answer, type=Recorded).recorded


def validate(town: Town, one: Leaf) -> None:
    """Record what the DSO has validated."""
    arguments, transient = town.validated(one.boundary, [one])
    town.submit("record_validated_readings", arguments, transient=transient)


def energies(town: Town, slot: int = SLOT) -> dict[str, Energy]:
    """Import, export and whether it is an estimate, of each meter in a settled slot.

    Nobody trades in these towns, so all of it is residual supply and surplus.
    """
    found: dict[str, Energy] = {}
    page, pages = 0, 1
    while page < pages:
        data = town.submit("list_metered", PageArguments(AREA, slot, page))
        answer = msgspec.json.decode(data, type=MeteredAnswer)
        page, pages = page + 1, answer.pages
        found.update((m.meter, (m.residual_wh, m.surplus_wh, m.estimated)) for m in answer.meters)
    return found


def settle(town: Town, slot: int) -> None:
    """Take a slot through its life, to behind the report deadline."""
    town.close_gate(slot)
    town.clear(slot)
    town.at(slot + SLOT_S + town.rules.report_deadline_s)
    town.settle(slot)


def correct_as_due(town: Town, settled: Sequence[int]) -> None:
    """Correct the settled slots that the last report's event names; not all need have changed."""
    event = msgspec.json.decode(town.engine.events[-1].data, type=ReadingsRecorded)
    for slot in settled:
        if event.first_slot <= slot and (event.end_s is None or slot < event.end_s):
            town.correct(slot)


@pytest.fixture
def town() -> Town:
    """Three households; m000 is read at all boundaries, m001 not at NEXT, m002 only at SLOT."""
    town = Town(3, slots=3)
    town.at(THIRD + SLOT_S)
    record(town, [leaf(f"m{number:03d}", SLOT, 0) for number in range(3)])
    record(town, [leaf("m000", NEXT, 100, 7)])
    record(town, [leaf("m000", THIRD, 130, 9), leaf("m001", THIRD, 91, 5)])
    for slot in (SLOT, NEXT):
        settle(town, slot)
    return town


def test_gap_between_measured_boundaries_is_spread_and_no_estimate(town: Town) -> None:
    assert energies(town) == {
        "m000": (100, 7, False),
        "m001": (46, 3, False),
        "m002": (0, 0, True),
    }
    assert energies(town, NEXT)["m001"] == (45, 2, False)


def test_register_within_a_gap_moves_energy_between_its_slots(town: Town) -> None:
    before = town.engine.state()
    assert record(town, [leaf("m001", NEXT, 20, 5)]) == 1
    assert town.engine.state() == before, "a report changes no settled slot"

    correct_as_due(town, (SLOT, NEXT))

    assert energies(town)["m001"] == (20, 5, False)
    assert energies(town, NEXT)["m001"] == (71, 0, False)


def test_estimated_meter_is_read_late(town: Town) -> None:
    assert record(town, [leaf("m002", THIRD, 41, 6)]) == 1

    correct_as_due(town, (SLOT, NEXT))

    assert (energies(town)["m002"], energies(town, NEXT)["m002"]) == (
        (21, 3, False),
        (20, 3, False),
    )


def test_gap_of_two_slots_is_filled_in_any_order_of_reports() -> None:
    found: list[dict[str, Energy]] = []
    for order in ((NEXT, THIRD), (THIRD, NEXT)):
        town = Town(1, slots=3)
        town.at(THIRD)
        record(town, [leaf("m000", SLOT, 10)])
        for slot in (SLOT, NEXT):
            settle(town, slot)
        for boundary in order:
            record(town, [leaf("m000", boundary, {NEXT: 50, THIRD: 80}[boundary])])
            correct_as_due(town, (SLOT, NEXT))
        found += [energies(town), energies(town, NEXT)]

    assert found == [{"m000": (40, 0, False)}, {"m000": (30, 0, False)}] * 2


def test_validated_register_moves_the_energy_of_both_slots_at_its_boundary(town: Town) -> None:
    validate(town, leaf("m000", NEXT, 110, 8))

    correct_as_due(town, (SLOT, NEXT))

    assert (energies(town)["m000"], energies(town, NEXT)["m000"]) == (
        (110, 8, False),
        (20, 1, False),
    )


def test_rule_6_7_reading_may_come_into_a_run_and_is_settled_by_the_next_correction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 6.7: once the slot settles, what comes later waits."""
    town = Town(3, slots=1)
    town.at(SLOT)
    record(town, [leaf(f"m{number:03d}", SLOT, 0) for number in range(3)])
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(NEXT + town.rules.report_deadline_s)
    cut_after(monkeypatch, 1)

    while town.step("settle_slot", SLOT).step != "METERS":
        assert town.refused("correct_slot", SlotArguments(AREA, SLOT)) == "SLOT_PHASE"
    record(town, [leaf("m000", NEXT, 7)])
    town.settle(SLOT)
    assert energies(town)["m000"] == (0, 0, True)

    while town.step("correct_slot", SLOT).step != "METERS":
        pass
    record(town, [leaf("m001", NEXT, 8)])
    town.run("correct_slot", SLOT, "SETTLED")
    assert (energies(town)["m000"], energies(town)["m001"]) == ((7, 0, False), (0, 0, True))

    town.run("correct_slot", SLOT, "SETTLED")
    assert energies(town)["m001"] == (8, 0, False)


def test_reading_that_comes_between_two_transactions_of_the_check_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 6.7: a meter that the check has not reached yet is settled on its reading."""
    town = Town(3, slots=1)
    town.at(SLOT)
    record(town, [leaf(f"m{number:03d}", SLOT, 0) for number in range(3)])
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(NEXT)
    record(town, [leaf("m000", NEXT, 3), leaf("m001", NEXT, 4)])
    cut_after(monkeypatch, 1)
    small_pages(monkeypatch, 1)

    answer = town.step("settle_slot", SLOT)
    assert (answer.phase, answer.step, answer.cursor) == ("CLEARED", "READINGS", "m001")
    assert town.refused("settle_slot", SlotArguments(AREA, SLOT)) == "READINGS_MISSING"
    assert record(town, [leaf("m002", NEXT, 5)]) == 1
    town.settle(SLOT)

    assert energies(town) == {
        "m000": (3, 0, False),
        "m001": (4, 0, False),
        "m002": (5, 0, False),
    }
