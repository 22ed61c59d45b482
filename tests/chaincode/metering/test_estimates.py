"""What a meter is settled on that nobody read: which slot it is taken from, and how much of it."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.metering.estimates import DAY_S, ESTIMATES, Estimate
from chaincode.queries.meters import MeteredAnswer
from chaincode.settlement.settled_slot import MeterSettled
from chaincode.slots.gate import (
    PageArguments,
)
from chaincode.state import slot_part
from tests.chaincode.crowd import (
    Household,
    ending,
    meter_number,
    put_reading,
    settle_in,
    without_limits,
)
from tests.chaincode.town import AREA, SLOT, SLOT_S, Town

DEADLINE_S = 3_600
MUTE = meter_number(0)


def mute_town(count: int = 1) -> Town:
    """A town of so many households of which nobody reads a meter."""
    town = Town(0, slots=1)
    settle_in(town, [Household(import_wh=None)] * count)
    return town


def settled(town: Town) -> MeterSettled:
    """What the first slot settles at the first meter, after the report deadline."""
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + DEADLINE_S)
    town.settle(SLOT)
    data = town.submit("list_metered", PageArguments(AREA, SLOT))
    return msgspec.json.decode(data, type=MeteredAnswer).meters[0]


def estimates(town: Town) -> list[Estimate]:
    """The estimates of the slot as they are written down."""
    prefix = ESTIMATES.key(AREA, slot_part(SLOT), "")
    rows = town.view.range(prefix, prefix[:-1] + "0")
    return [row for _, value in rows for row in ESTIMATES.decode(value).estimates]


def test_meter_that_was_never_read_settles_on_nothing() -> None:
    town = mute_town()

    meter = settled(town)

    assert (meter.residual_wh, meter.surplus_wh, meter.estimated) == (0, 0, True)
    assert estimates(town) == [Estimate(MUTE, 0, 0, None)]


@pytest.mark.parametrize(
    ("read", "taken_from"),
    [
        ({-DAY_S: 40, -SLOT_S: 50, -2 * SLOT_S: 60}, -DAY_S),
        ({-SLOT_S: 50, -2 * SLOT_S: 60}, -SLOT_S),
        ({-2 * SLOT_S: 60, -9 * SLOT_S: 70}, -2 * SLOT_S),
        ({-9 * SLOT_S: 70, -30 * SLOT_S: 80}, -9 * SLOT_S),
        ({SLOT_S - DAY_S: 80}, SLOT_S - DAY_S),
        ({-DAY_S - SLOT_S: 90, SLOT_S: 95}, None),
    ],
    ids=["day before", "slot before", "two before", "nine before", "95 before", "none of a day"],
)
def test_estimate_is_the_day_before_else_the_last_reading_within_a_day(
    read: dict[int, int], taken_from: int | None
) -> None:
    town = mute_town()
    for offset_s, wh in read.items():
        put_reading(town, MUTE, wh, 2 * wh, slot=SLOT + offset_s)

    meter = settled(town)

    wh = 0 if taken_from is None else read[taken_from]
    slot = None if taken_from is None else SLOT + taken_from
    assert estimates(town) == [Estimate(MUTE, wh, 2 * wh, slot)]
    assert (meter.residual_wh, meter.surplus_wh, meter.minted_wh) == (wh, 2 * wh, 2 * wh)
    assert (meter.estimated, meter.read_version) == (True, 0)


def test_estimate_is_taken_from_the_newest_version() -> None:
    town = mute_town()
    put_reading(town, MUTE, 40, 0, slot=SLOT - DAY_S)
    put_reading(town, MUTE, 44, 0, slot=SLOT - DAY_S, version=2)

    assert settled(town).residual_wh == 44


def test_estimate_is_held_to_the_certified_power() -> None:
    """40 kW are 10,000 Wh in a slot."""
    town = mute_town()
    put_reading(town, MUTE, 10_400, 10_001, slot=SLOT - DAY_S)

    meter = settled(town)

    assert (meter.residual_wh, meter.surplus_wh) == (10_000, 10_000)


def test_reading_of_the_slot_itself_is_no_estimate() -> None:
    town = mute_town(2)
    put_reading(town, MUTE, 40, 0, slot=SLOT - DAY_S)
    put_reading(town, MUTE, 41, 0)

    meter = settled(town)

    assert (meter.residual_wh, meter.estimated, meter.read_version) == (41, False, 1)
    assert [estimate.meter for estimate in estimates(town)] == [meter_number(1)]


def test_reading_that_comes_in_during_the_run_changes_no_estimate() -> None:
    """The estimate of a run is written down before its first trade settles."""
    town = mute_town(3)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + DEADLINE_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chaincode.slots.runs.WRITES_LEFT_MIN", 4_999)
        patch.setattr("chaincode.settlement.run.CHUNK_ROWS", 1)
        while town.step("settle_slot", SLOT).step != "METERS":
            pass
        put_reading(town, MUTE, 500, 0, slot=SLOT - DAY_S)
        town.settle(SLOT)

    assert [meter.residual_wh for meter in ending(town).meters] == [0, 0, 0]


def test_an_area_of_mute_meters_settles_within_the_limits() -> None:
    """Each of them is looked for in a whole day; the engine refuses whatever is too large."""
    town = mute_town(600)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + DEADLINE_S)

    assert town.settle(SLOT) > 1

    assert len(estimates(town)) == 600
    with pytest.MonkeyPatch.context() as patch:
        without_limits(patch)
        whole = mute_town(600)
        settled(whole)
    assert ending(town) == ending(whole)
