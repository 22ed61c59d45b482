"""The weights by which energy is estimated and spread over the slots of a gap.

Rules of the contract: "Registers, not differences", 4 and 5. A profile lists the weights of the
local day's 96 quarters of an hour, in parts per thousand of the day, for each direction. Without a
profile all slots weigh the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from chaincode.units import (
    PER_MILLE,
    SECONDS_PER_DAY,
    SECONDS_PER_QUARTER,
    local_quarter,
    share_down,
)

QUARTERS = 96
WEIGHT_OF_DAY = PER_MILLE * SECONDS_PER_QUARTER

Weight = Annotated[int, msgspec.Meta(ge=0, le=PER_MILLE)]
DayWeights = Annotated[list[Weight], msgspec.Meta(min_length=QUARTERS, max_length=QUARTERS)]


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weights of a day's quarters of an hour for import and for export and generation."""

    imports: DayWeights | None = None
    exports: DayWeights | None = None


def weight_of(weights: Sequence[int] | None, slot: int, *, slot_s: int, offset_s: int) -> int:
    """The weight of a slot, whose start is `offset_s` east of UTC, in per mille of a day x 900 s.

    Without weights all quarters weigh the same, a 96th of the day.
    """
    if weights is None:
        return share_down(WEIGHT_OF_DAY, slot_s, SECONDS_PER_DAY)  # exact for all lengths of slots
    quarter = local_quarter(slot, offset_s)
    if slot_s <= SECONDS_PER_QUARTER:
        return weights[quarter] * slot_s
    quarters = range(quarter, quarter + len(range(0, slot_s, SECONDS_PER_QUARTER)))
    return sum(weights[number % QUARTERS] for number in quarters) * SECONDS_PER_QUARTER


def estimated_wh(
    daily_wh: int, weights: Sequence[int] | None, slot: int, *, slot_s: int, offset_s: int
) -> int:
    """The import that is estimated for a slot: `daily_wh` x the slot's weight, rounded down."""
    weight = weight_of(weights, slot, slot_s=slot_s, offset_s=offset_s)
    return share_down(daily_wh, weight, WEIGHT_OF_DAY)
