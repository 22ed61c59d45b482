"""Readings of slots that have settled: late ones, corrected ones, and what they may not do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from chaincode.context import PrivateKey
from chaincode.metering.readings import (
    COLLECTION,
    READING_VERSIONS_MAX,
    Leaf,
    Quality,
    reading_key,
)
from chaincode.metering.reports import Recorded
from chaincode.queries.meters import ReadingsAnswer, ReadingsArguments
from chaincode.slots.gate import SlotArguments
from tests.chaincode.crowd import cut_after
from tests.chaincode.town import AREA, ORACLE, SLOT, SLOT_S, Town

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
SALT = "5a" * 32


def leaf(
    meter: str, begins: int, ends: int, *, quality: Quality = "measured", salt: str = SALT
) -> Leaf:
    """A leaf of a meter whose import register goes from `begins` to `ends`."""
    return Leaf(
        export_from_wh=0,
        export_to_wh=0,
        import_from_wh=begins,
        import_to_wh=ends,
        meter=meter,
        quality=quality,
        resolution_wh=1,
        salt=salt,
    )


def record(town: Town, leaves: Sequence[Leaf], slot: int = SLOT) -> int:
    """How many readings a well signed report brings."""
    arguments, transient = town.report(slot, leaves)
    answer = town.submit("record_readings", arguments, ORACLE, transient=transient)
    return msgspec.json.decode(answer, type=Recorded).recorded


def refusal(town: Town, leaves: Sequence[Leaf], slot: int = SLOT) -> str:
    """The code with which a well signed report is refused."""
    arguments, transient = town.report(slot, leaves)
    return town.refused("record_readings", arguments, ORACLE, transient=transient)


def newest(town: Town, slot: int = SLOT) -> dict[str, tuple[int, int]]:
    """Version and import of the newest readings of a slot."""
    data = town.submit("list_readings", ReadingsArguments(AREA, slot))
    rows = msgspec.json.decode(data, type=ReadingsAnswer).readings
    return {row.reading.leaf.meter: (row.version, row.reading.leaf.import_wh) for row in rows}


def settled_town() -> Town:
    """Three households; m000 is read 100 Wh in the first slot, the others are not read in it.

    The second and third slot are over; m000 and m001 are read in both.
    """
    town = Town(3, slots=3)
    town.at(THIRD + SLOT_S)
    record(town, [leaf("m000", 0, 100)])
    record(town, [leaf("m000", 100, 130), leaf("m001", 70, 90)], NEXT)
    record(town, [leaf("m000", 130, 160), leaf("m001", 90, 95)], THIRD)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + town.rules.report_deadline_s)
    town.settle(SLOT)
    return town


@pytest.fixture
def town() -> Town:
    return settled_town()


def test_meter_that_was_estimated_is_read_late(town: Town) -> None:
    before = town.engine.state()

    assert record(town, [leaf("m001", 20, 70), leaf("m002", 0, 33)]) == 2
    assert record(town, [leaf("m001", 20, 70), leaf("m002", 0, 33)]) == 0

    assert town.engine.state() == before
    assert newest(town) == {"m000": (1, 100), "m001": (1, 50), "m002": (1, 33)}


def test_late_reading_ends_where_the_slot_after_it_began(town: Town) -> None:
    assert refusal(town, [leaf("m001", 20, 69)]) == "READING_GAP"
    assert refusal(town, [leaf("m001", 71, 70)]) == "READING_BACKWARDS"
    assert record(town, [leaf("m001", 70, 70)]) == 1


def test_gap_of_two_slots_is_filled_in_any_order() -> None:
    for order in ((SLOT, NEXT), (NEXT, SLOT)):
        town = Town(1, slots=3)
        town.at(THIRD + SLOT_S)
        record(town, [leaf("m000", 80, 90)], THIRD)
        town.close_gate(SLOT)
        town.clear(SLOT)
        town.at(SLOT + SLOT_S + town.rules.report_deadline_s)
        town.settle(SLOT)
        leaves = {SLOT: leaf("m000", 10, 50), NEXT: leaf("m000", 50, 80)}

        for slot in order:
            record(town, [leaves[slot]], slot)

        assert (newest(town), newest(town, NEXT)) == ({"m000": (1, 40)}, {"m000": (1, 30)})


@pytest.mark.parametrize("quality", ["edited", "substituted"])
def test_corrected_reading_is_a_next_version_and_the_first_one_stays(
    town: Town, quality: Quality
) -> None:
    first = town.view.private[PrivateKey(COLLECTION, reading_key(SLOT, "m000"))]

    assert record(town, [leaf("m000", 0, 110, quality=quality)]) == 1

    assert town.view.private[PrivateKey(COLLECTION, reading_key(SLOT, "m000"))] == first
    assert newest(town)["m000"] == (2, 110)
    assert record(town, [leaf("m000", 0, 110, quality=quality)]) == 0
    assert record(town, [leaf("m000", 0, 100)], SLOT) == 0  # the first report, sent again


@pytest.mark.parametrize("quality", ["measured", "estimated"])
def test_what_only_measured_again_replaces_no_reading(town: Town, quality: Quality) -> None:
    assert refusal(town, [leaf("m000", 0, 110, quality=quality)]) == "READING_REPEATED"


def test_correction_of_the_slot_after_begins_where_the_corrected_one_ends(town: Town) -> None:
    record(town, [leaf("m000", 0, 110, quality="edited")])

    assert refusal(town, [leaf("m000", 100, 130, quality="edited")], THIRD) == "READING_REPEATED"
    for slot, due in ((NEXT, 130), (THIRD, 160)):
        town.close_gate(slot)
        town.clear(slot)
        town.at(slot + SLOT_S + town.rules.report_deadline_s)
        town.settle(slot)
        assert due
    assert refusal(town, [leaf("m000", 100, 131, quality="edited")], NEXT) == "READING_GAP"
    assert record(town, [leaf("m000", 110, 130, quality="edited")], NEXT) == 1
    assert refusal(town, [leaf("m000", 129, 160, quality="edited")], THIRD) == "READING_GAP"
    assert newest(town, NEXT)["m000"] == (2, 20)


def test_corrected_reading_is_as_plausible_as_any(town: Town) -> None:
    backwards, much = (leaf("m000", 0, ends, quality="edited") for ends in (-1, 2_000))

    assert refusal(town, [much]) == "READING_IMPLAUSIBLE"
    assert refusal(town, [backwards]) == "LEAVES_UNREADABLE"
    assert refusal(town, [leaf("m000", 5, 4, quality="edited")]) == "READING_BACKWARDS"


def test_reading_has_a_bounded_number_of_versions(town: Town) -> None:
    for version in range(2, READING_VERSIONS_MAX + 1):
        record(town, [leaf("m000", 0, 100 + version, quality="edited")])

    assert refusal(town, [leaf("m000", 0, 90, quality="edited")]) == "VERSIONS_TOO_MANY"
    assert newest(town)["m000"] == (READING_VERSIONS_MAX, 100 + READING_VERSIONS_MAX)


def test_reading_is_corrected_only_once_its_slot_has_settled() -> None:
    town = Town(1, slots=1)
    town.at(SLOT + SLOT_S)
    record(town, [leaf("m000", 0, 100)])
    edited = [leaf("m000", 0, 90, quality="edited")]

    assert refusal(town, edited) == "READING_REPEATED"
    town.close_gate(SLOT)
    town.clear(SLOT)
    assert refusal(town, edited) == "READING_REPEATED"
    town.settle(SLOT)
    assert record(town, edited) == 1


def test_meter_that_is_certified_later_is_not_read_for_a_slot_before(town: Town) -> None:
    trader = town.traders[0]
    town.certify(trader, meter="extra", from_slot=town.unopened())

    assert refusal(town, [leaf("extra", 0, 5)]) == "METER_UNKNOWN"


def test_no_reading_comes_into_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of settling and of correcting; while a run looks for readings it does."""
    town = Town(3, slots=1)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + town.rules.report_deadline_s)
    cut_after(monkeypatch, 1)
    arguments = SlotArguments(AREA, SLOT)

    assert town.step("settle_slot", SLOT).phase == "CLEARED"
    assert record(town, [leaf("m002", 0, 7)]) == 1
    while town.step("settle_slot", SLOT).phase == "CLEARED":
        pass
    assert refusal(town, [leaf("m000", 0, 7)]) == "REPORT_LATE"
    assert town.refused("correct_slot", arguments) == "SLOT_PHASE"
    town.settle(SLOT)
    record(town, [leaf("m000", 0, 7)])
    while town.step("correct_slot", SLOT).phase == "SETTLED":
        pass
    assert refusal(town, [leaf("m001", 0, 7)]) == "REPORT_LATE"
    assert refusal(town, [leaf("m000", 0, 8, quality="edited")]) in (
        "REPORT_LATE",
        "READING_REPEATED",
    )
    town.run("correct_slot", SLOT, "SETTLED")

    assert record(town, [leaf("m001", 0, 7)]) == 1
