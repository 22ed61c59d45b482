"""Dated market rules of an area, and its local time.

Rules are data that the area's DSO posts (`rule_changes.py`); each version applies from a slot on.
Every rule has its bounds in its type. Local hours come from posted offsets and never from a
time-zone database, because every member must compute the same hour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Annotated, Literal

import msgspec

from chaincode.area.fees import RATE_MAX
from chaincode.area.profile import Profile
from chaincode.area.zones import Area
from chaincode.context import Context
from chaincode.errors import NO_MARKET_RULES
from chaincode.state import DatedTable, Name, Rate, Row, Second

DAY_S = 86_400
OPENS_S_MAX = 30 * DAY_S
CLOCK_WINDOW_S = 60  # how far a member's clock may be off where the network does not say otherwise
REVEAL_S = 60  # each seed member has at least so long to reveal, however the clocks of others run
SEED_DEADLINE_S_MIN = 2 * CLOCK_WINDOW_S + REVEAL_S
"""A gate may be closed late by a clock that is behind, and the slot be cleared early by one that is ahead."""
SEED_DEADLINE_S_MAX = 3_600  # the longest slot; `rule_changes.py` compares with the area's slot
REPORT_DEADLINE_S_MAX = 7 * DAY_S
FINAL_S_MAX = 400 * DAY_S  # a reading that is found after a year can still correct its slot
PRICE_LIMIT_MAX = 1_000_000_000  # 1,000 currency units per kWh, positive or negative
OFFSETS_MAX = 400  # two changes of summer time a year for two centuries
OFFSET_S_MAX = 64_800  # 18 hours either way
AHEAD_MAX = 100  # versions that begin after the newest closed gate: each dated act reads them all
VERSIONS_REMEMBERED = 64  # decoded rules; the same few versions are read with every batch

Opens = Annotated[int, msgspec.Meta(ge=1, le=OPENS_S_MAX)]
Lead = Annotated[int, msgspec.Meta(ge=0, le=OPENS_S_MAX)]
SeedDeadline = Annotated[int, msgspec.Meta(ge=SEED_DEADLINE_S_MIN, le=SEED_DEADLINE_S_MAX)]
ReportDeadline = Annotated[int, msgspec.Meta(ge=0, le=REPORT_DEADLINE_S_MAX)]
Final = Annotated[int, msgspec.Meta(ge=0, le=FINAL_S_MAX)]
Limit = Annotated[int, msgspec.Meta(ge=-PRICE_LIMIT_MAX, le=PRICE_LIMIT_MAX)]
Offset = Annotated[int, msgspec.Meta(ge=-OFFSET_S_MAX, le=OFFSET_S_MAX)]
Offsets = Annotated[list[tuple[Second, Offset]], msgspec.Meta(min_length=1, max_length=OFFSETS_MAX)]
CancelFee = Annotated[int, msgspec.Meta(ge=0, le=RATE_MAX)]
ShortfallPenalty = Annotated[int, msgspec.Meta(ge=0, le=RATE_MAX)]
LossPrice = Annotated[int, msgspec.Meta(ge=0, le=PRICE_LIMIT_MAX)]


class MarketRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an area trades and settles.

    `price_band` is the [lowest, highest] limit in micro/kWh. A slot takes orders from `opens_s`
    before its start until its gate, `gate_lead_s` before its start. Seed
    members reveal their seeds until `seed_deadline_s` after the gate. `cancel_fee` is micro/kWh on the
    Wh withdrawn; `shortfall_penalty` is micro/kWh that a seller pays its buyer on Wh that it sold and
    did not deliver (0: none). From `report_deadline_s` after a slot's end, missing readings are estimated;
    `final_s` after its end nothing of the slot changes any more. A reading may exceed the certified
    energy by `plausible_ppm`. `offsets` are [from second, seconds east of UTC], oldest first.
    """

    time_zone: Name
    offsets: Offsets
    price_band: tuple[Limit, Limit] = (-500_000, 4_000_000)
    mechanism: Name = "uniform"
    price_rule: Literal["seller", "buyer", "midpoint"] = "midpoint"
    tie: Literal["draw"] = "draw"
    opens_s: Opens = 86_400
    gate_lead_s: Lead = 300
    seed_deadline_s: SeedDeadline = 300
    report_deadline_s: ReportDeadline = 3_600
    final_s: Final = 90 * DAY_S
    cancel_fee: CancelFee = 0
    shortfall_penalty: ShortfallPenalty = 0
    loss_price: LossPrice | None = None
    firmness: Literal["as_delivered"] = "as_delivered"
    distribution: Literal["trade_order"] = "trade_order"
    contract_model: Literal["through_retailer"] = "through_retailer"
    reverse_charge: bool = False
    plausible_ppm: Rate = 50_000
    profile: Profile | None = None

    def gate_s(self, slot: int) -> int:
        """The second at which the gate of `slot` closes."""
        return slot - self.gate_lead_s

    def opening_s(self, slot: int) -> int:
        """The second from which `slot` takes orders."""
        return slot - self.opens_s

    def final_at_s(self, end_s: int) -> int:
        """The second from which a slot that ended at `end_s` is final."""
        return end_s + self.final_s

    def offset_s(self, second: int) -> int:
        """Seconds east of UTC at `second`."""
        offset = 0
        for from_s, value in self.offsets:
            if from_s > second:
                break
            offset = value
        return offset


class AreaRules(Row, frozen=True):
    """An area's rules from a slot on."""

    rules: MarketRules


RULES = DatedTable(20, "market rules", AreaRules, ("area", "slot"), remembered=VERSIONS_REMEMBERED)


def rules_of_slots(context: Context, area: str, slots: Collection[int]) -> dict[int, MarketRules]:
    """The rules that hold for each of `slots`, read at once.

    A slot without rules is left out, and so is one that lies further back than the versions that
    are read, which slots with open gates never do.
    """
    found: dict[int, MarketRules] = {}
    left = sorted(slots)
    versions = RULES.from_slot(context, area, slot=left[-1]) if left else iter(())
    for begins, row in islice(versions, AHEAD_MAX + 2):
        while left and left[-1] >= begins:
            found[left.pop()] = row.rules
        if not left:
            break
    return found


def rules_at(context: Context, area: str, slot: int) -> MarketRules:
    """The rules that hold for `slot`; a slot without rules is refused."""
    row = RULES.at(context, area, slot=slot)
    if row is None:
        raise NO_MARKET_RULES(area=area, slot=slot)
    return row.rules


def rules_spans(
    context: Context, area: Area, *, from_slot: int, until_slot: int
) -> Iterator[tuple[int, MarketRules]]:
    """Each version of the rules for the slots of a range, newest first.

    Yields the last slot of the range that the version holds for, which has its latest gate.
    """
    last = until_slot
    for begins, row in RULES.from_slot(context, area.area, slot=until_slot):
        yield last, row.rules
        if begins <= from_slot:
            return
        last = begins - area.slot_s
