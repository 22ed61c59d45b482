"""The weights of slots: by local quarters of an hour, on days of 92, 96 and 100 of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.area.profile import QUARTERS, WEIGHT_OF_DAY, Profile, estimated_wh, weight_of
from chaincode.area.rules import MarketRules

QUARTER_S = 900
VIENNA = ZoneInfo("Europe/Vienna")
RULES = MarketRules(
    time_zone="Europe/Vienna",
    offsets=[(0, 3_600), (1_774_746_000, 7_200), (1_792_890_000, 3_600)],
)
"""Summer time from 2026-03-29 01:00 UTC to 2026-10-25 01:00 UTC."""
RISING = [number // 5 for number in range(QUARTERS)]
DAYS = [(datetime(2026, 3, 28), 96), (datetime(2026, 3, 29), 92), (datetime(2026, 10, 25), 100)]  # noqa: DTZ001 local days


def slots_of(day: datetime, slot_s: int) -> list[int]:
    """The starts of the slots of a local day in Vienna, by the tables of time zones."""
    first = int(day.replace(tzinfo=VIENNA).timestamp())
    end = int((day + timedelta(days=1)).replace(tzinfo=VIENNA).timestamp())
    return list(range(first, end, slot_s))


def quarter_of(slot: int) -> int:
    """The quarter of an hour on a wall clock in Vienna."""
    local = datetime.fromtimestamp(slot, UTC).astimezone(VIENNA)
    return local.hour * 4 + local.minute // 15


@pytest.mark.parametrize(("day", "quarters"), DAYS)
def test_slot_has_the_weight_of_its_local_quarter(day: datetime, quarters: int) -> None:
    slots = slots_of(day, QUARTER_S)

    found = [
        weight_of(RISING, slot, slot_s=QUARTER_S, offset_s=RULES.offset_s(slot)) for slot in slots
    ]

    assert len(slots) == quarters
    assert found == [RISING[quarter_of(slot)] * QUARTER_S for slot in slots]


@pytest.mark.parametrize(("day", "quarters"), DAYS)
@pytest.mark.parametrize("slot_s", [300, 900, 1_800, 3_600])
def test_slots_of_any_length_weigh_what_their_quarters_do(
    day: datetime, quarters: int, slot_s: int
) -> None:
    def total(length_s: int) -> int:
        return sum(
            weight_of(RISING, slot, slot_s=length_s, offset_s=RULES.offset_s(slot))
            for slot in slots_of(day, length_s)
        )

    assert len(slots_of(day, slot_s)) * slot_s == quarters * QUARTER_S
    assert total(slot_s) == total(QUARTER_S)


@pytest.mark.parametrize(("day", "quarters"), DAYS)
@pytest.mark.parametrize("slot_s", [300, 900, 1_800, 3_600])
def test_without_weights_all_slots_weigh_the_same(
    day: datetime, quarters: int, slot_s: int
) -> None:
    """A day of 96 quarters has the weight of one day, the others that of their quarters."""
    found = [weight_of(None, slot, slot_s=slot_s, offset_s=0) for slot in slots_of(day, slot_s)]

    assert len(set(found)) == 1
    assert sum(found) * QUARTERS == WEIGHT_OF_DAY * quarters


@given(
    daily_wh=st.integers(0, 10**9),
    weights=st.none() | st.lists(st.integers(0, 1_000), min_size=QUARTERS, max_size=QUARTERS),
    slot=st.integers(0, 300_000).map(lambda number: number * 3_600),
    slot_s=st.sampled_from([300, 900, 1_800, 3_600]),
)
def test_estimate_is_the_daily_import_times_the_weight_per_mille_rounded_down(
    daily_wh: int, weights: list[int] | None, slot: int, slot_s: int
) -> None:
    """A slot of a quarter weighs its quarter, a shorter one its part of it."""
    quarter = slot % 86_400 // QUARTER_S
    if weights is None:
        per_mille = Fraction(1_000 * slot_s, 86_400)
    elif slot_s < QUARTER_S:
        per_mille = Fraction(weights[quarter] * slot_s, QUARTER_S)
    else:
        per_mille = Fraction(sum(weights[quarter : quarter + slot_s // QUARTER_S]))

    found = estimated_wh(daily_wh, weights, slot, slot_s=slot_s, offset_s=0)

    assert found == int(daily_wh * per_mille / 1_000)


@pytest.mark.parametrize("weights", [[0] * 95, [0] * 97, [-1] * 96, [1_001] * 96])
def test_profile_has_96_weights_per_mille(weights: list[int]) -> None:
    data = msgspec.json.encode({"imports": weights})

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data, type=Profile)
