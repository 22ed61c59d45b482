"""What a slot is settled on: measured energy, energy spread over a gap, or an estimate."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.profile import Profile
from chaincode.area.rules import MarketRules
from chaincode.area.zones import get_area
from chaincode.errors import Refused
from chaincode.metering.meters import METERS
from chaincode.metering.readings import COLLECTION, reading_key
from chaincode.metering.slot_meters import ENERGIES, MeterEnergy, energies_now
from chaincode.queries.meters import MeteredAnswer
from chaincode.settlement.settled_slot import MeterSettled
from chaincode.slots.gate import PageArguments
from chaincode.state import Dated, encode, slot_part
from tests.chaincode.crowd import (
    Household,
    cut_after,
    ending,
    meter_number,
    private_place,
    put_reading,
    put_register,
    settle_in,
    without_limits,
    writing_context,
)
from tests.chaincode.town import AREA, RULES, SLOT, SLOT_S, Town

DEADLINE_S = 3_600
MUTE = meter_number(0)
MORNING = [0] * 32 + [100] * 8 + [0, 25, 50, 125] + [0] * 52
"""The first ten slots of a town begin at 00:00; at 08:00 the weights begin."""
PEAK = SLOT + 8 * 3_600


def mute_town(count: int = 1, *, rules: MarketRules = RULES) -> Town:
    """A town of so many households of which nobody reads a meter."""
    town = Town(0, slots=1, rules=rules)
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


def fixed(town: Town) -> list[MeterEnergy]:
    """The energies of the slot as they are written down."""
    prefix = ENERGIES.key(AREA, slot_part(SLOT), "")
    rows = town.view.range(prefix, prefix[:-1] + "0")
    return [row for _, value in rows for row in ENERGIES.decode(value).energies]


def now(town: Town, slot: int, *, daily_import_wh: int = 0) -> MeterEnergy:
    """The energy of the mute meter in a slot by what is measured now."""
    key = METERS.key(MUTE)
    row = METERS.decode(town.view.rows[key])
    supplies = [
        Dated(held.from_slot, msgspec.structs.replace(held.value, daily_import_wh=daily_import_wh))
        for held in row.supplies
        if held.value is not None
    ]
    town.view.rows[key] = encode(msgspec.structs.replace(row, supplies=supplies))
    context = writing_context(town)
    (energy,) = energies_now(context, get_area(context, AREA), slot, [MUTE])
    return energy


def with_profile(imports: list[int] | None = None, exports: list[int] | None = None) -> MarketRules:
    """The town's rules with a profile."""
    return msgspec.structs.replace(RULES, profile=Profile(imports, exports))


def test_meter_that_was_never_read_settles_on_nothing() -> None:
    town = mute_town()

    meter = settled(town)

    assert (meter.residual_wh, meter.surplus_wh, meter.estimated) == (0, 0, True)
    assert (meter.minted_wh, meter.retired_wh) == (0, 0)
    assert fixed(town) == [MeterEnergy(MUTE, 0, 0, estimated=True)]


@pytest.mark.parametrize("boundaries", [[SLOT], [SLOT + SLOT_S], [SLOT - SLOT_S], [SLOT + 9_000]])
def test_slot_with_measured_boundaries_on_one_side_only_is_estimated(boundaries: list[int]) -> None:
    town = mute_town()
    for boundary in boundaries:
        put_register(town, MUTE, boundary, 500, 500)

    assert settled(town).estimated
    assert fixed(town) == [MeterEnergy(MUTE, 0, 0, estimated=True)]


@pytest.mark.parametrize(
    ("quarter", "expected_wh"), [(31, 0), (32, 1_099), (40, 0), (41, 274), (43, 1_374)]
)
def test_rule_6_4_estimate_is_the_daily_import_by_the_weight_of_the_slot(
    quarter: int, expected_wh: int
) -> None:
    """Rule 6.4: floor(10,995 Wh x weight / 1000); export is never estimated."""
    town = mute_town(rules=with_profile(imports=MORNING))
    put_register(town, MUTE, SLOT, 700, 700)

    energy = now(town, SLOT + quarter * SLOT_S, daily_import_wh=10_995)

    assert energy == MeterEnergy(MUTE, expected_wh, 0, estimated=True)


def test_estimate_without_a_profile_is_a_96th_of_the_day() -> None:
    town = mute_town()

    assert now(town, PEAK, daily_import_wh=9_700) == MeterEnergy(MUTE, 101, 0, estimated=True)


def test_measured_boundaries_leave_nothing_to_the_daily_import() -> None:
    town = mute_town(rules=with_profile(imports=MORNING))
    put_reading(town, MUTE, 41, 7)

    assert now(town, SLOT, daily_import_wh=10_000) == MeterEnergy(MUTE, 41, 7)


def test_gap_is_spread_by_the_weights_of_each_direction() -> None:
    """Rule 6.5: 100 Wh over four slots, of which three weigh 25, 50 and 125 for import."""
    town = mute_town(rules=with_profile(imports=MORNING, exports=[1] * 96))
    first = PEAK + 8 * SLOT_S
    put_register(town, MUTE, first, 1_000, 10)
    put_register(town, MUTE, first + 4 * SLOT_S, 1_101, 13)

    found = [now(town, first + place * SLOT_S, daily_import_wh=5_000) for place in range(4)]

    assert [(one.import_wh, one.export_wh) for one in found] == [(0, 1), (13, 1), (25, 1), (63, 0)]
    assert not any(one.estimated for one in found)


def test_gap_whose_weights_are_all_zero_is_spread_evenly() -> None:
    town = mute_town(rules=with_profile(imports=MORNING))
    put_register(town, MUTE, SLOT, 0, 0)
    put_register(town, MUTE, SLOT + 3 * SLOT_S, 100, 0)

    found = [now(town, SLOT + place * SLOT_S).import_wh for place in range(3)]

    assert found == [34, 33, 33]


def test_slots_behind_the_last_measured_boundary_are_estimated() -> None:
    town = mute_town()
    put_reading(town, MUTE, 41, 7)

    assert now(town, SLOT + SLOT_S, daily_import_wh=9_600) == MeterEnergy(
        MUTE, 100, 0, estimated=True
    )


@pytest.mark.parametrize("purged", [SLOT - 2 * SLOT_S, SLOT + 5 * SLOT_S])
def test_purged_reading_at_the_end_of_a_gap_is_no_missing_one(purged: int) -> None:
    town = mute_town()
    for boundary in (SLOT - 9 * SLOT_S, SLOT - 2 * SLOT_S, SLOT + 5 * SLOT_S, SLOT + 9 * SLOT_S):
        put_register(town, MUTE, boundary, boundary - SLOT + 10_000, 0)
    assert not now(town, SLOT).estimated

    del town.view.private[private_place(COLLECTION, reading_key(purged, MUTE))]

    with pytest.raises(Refused, match="purged"):
        now(town, SLOT)


def test_reading_that_comes_in_during_the_run_changes_no_energy() -> None:
    """The energies of a run are written down before its first trade settles."""
    town = mute_town(3)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + DEADLINE_S)
    with pytest.MonkeyPatch.context() as patch:
        cut_after(patch, 1)
        while town.step("settle_slot", SLOT).step != "METERS":
            pass
        for number in range(3):
            put_reading(town, meter_number(number), 500, 0)
        town.settle(SLOT)

    assert [meter.residual_wh for meter in ending(town).meters] == [0, 0, 0]
    town.run("correct_slot", SLOT, "SETTLED")
    assert [meter.residual_wh for meter in ending(town).meters] == [500, 500, 500]


def test_an_area_of_mute_meters_settles_within_the_limits() -> None:
    """The readings around each of them are looked for; the engine refuses whatever is too large."""
    count = 2_000
    town, whole = mute_town(count), mute_town(count)
    for one in (town, whole):
        for number in range(count):
            put_register(one, meter_number(number), SLOT - 5 * 86_400, 0, 0)
            put_register(one, meter_number(number), SLOT + 86_400, 600 * number, 0)

    meter = settled(town)

    assert not meter.estimated
    assert len(fixed(town)) == count
    with pytest.MonkeyPatch.context() as patch:
        without_limits(patch)
        settled(whole)
    assert ending(town) == ending(whole)
