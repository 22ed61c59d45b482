"""Dated market rules of an area, and its local time.

Rules are data that the area's DSO posts; each version applies from a slot on. Local hours come
from posted offsets and never from a time-zone database, because every member must compute the
same hour.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from chaincode.area.fees import RATE_MAX
from chaincode.area.profile import Profile
from chaincode.area.zones import (
    VERSIONS_MAX,
    own_area,
    require_open,
)
from chaincode.auctions.mechanisms import area_mechanisms
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    NO_MARKET_RULES,
    NO_SEED_CHAIN,
    RULE_OUT_OF_BOUNDS,
    VERSIONS_TOO_MANY,
)
from chaincode.state import (
    Count,
    Dated,
    Id,
    Name,
    Row,
    Second,
    Signed,
    Table,
    at_slot,
    encode,
    with_version,
)

PRICE_BAND_WIDTH_MAX = 1_000_000_000  # 1,000 currency units per kWh from lowest to highest
OFFSETS_MAX = 400  # two changes of summer time a year for two centuries


class MarketRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an area trades and settles.

    `price_band` is the [lowest, highest] limit in micro/kWh. A slot takes orders from `opens_s`
    before its start until its gate, `gate_lead_s` before its start. From `seed_deadline_s` after
    the gate time, any member may close the gate without the seed. `cancel_fee` is micro/kWh on the
    Wh withdrawn. From `report_deadline_s` after a slot's end, missing readings are estimated. A
    reading may exceed the certified energy by `plausible_ppm`. `offsets` are [from second, seconds
    east of UTC], oldest first.
    """

    time_zone: str
    offsets: list[tuple[Second, int]]
    price_band: tuple[Signed, Signed] = (-500_000, 4_000_000)
    mechanism: Name = "uniform"
    price_rule: Literal["seller", "buyer", "midpoint"] = "midpoint"
    tie: Literal["draw"] = "draw"
    opens_s: Count = 86_400
    gate_lead_s: Count = 300
    seed_deadline_s: Count = 60
    report_deadline_s: Count = 3_600
    cancel_fee: Count = 0
    loss_price: Count | None = None
    firmness: Literal["as_delivered"] = "as_delivered"
    distribution: Literal["trade_order"] = "trade_order"
    contract_model: Literal["through_retailer"] = "through_retailer"
    reverse_charge: bool = False
    plausible_ppm: Count = 50_000
    final_s: Count = 35 * 86_400
    profile: Profile | None = None

    def gate_s(self, slot: int) -> int:
        """The second at which the gate of `slot` closes."""
        return slot - self.gate_lead_s

    def opening_s(self, slot: int) -> int:
        """The second from which `slot` takes orders."""
        return slot - self.opens_s

    def offset_s(self, second: int) -> int:
        """Seconds east of UTC at `second`."""
        offset = 0
        for from_s, value in self.offsets:
            if from_s > second:
                break
            offset = value
        return offset


class AreaRules(Row, frozen=True):
    """An area's dated rules, oldest first."""

    versions: list[Dated[MarketRules]]


class SeedChain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of SHA-256 pre-images: `anchor` as posted, `tip` as last revealed."""

    anchor: str
    tip: str


class SeedChains(Row, frozen=True):
    """An area's dated seed chains, oldest first."""

    versions: list[Dated[SeedChain]]


RULES = Table(20, "market rules", AreaRules, ("area",))
SEEDS = Table(21, "seed chains", SeedChains, ("area",))


class RulesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules of an area from a slot on."""

    area: Id
    from_slot: Second
    rules: MarketRules


def set_market_rules(context: Context, arguments: RulesArguments) -> Accepted:
    """Post an area's rules from a slot on; the slot's seed chain must be posted first."""
    area = own_area(context, arguments.area)
    require_open(context, area.area, arguments.from_slot)
    rules = arguments.rules
    mechanisms = area_mechanisms()
    _check(rules.mechanism in mechanisms, rule="mechanism", bound=" or ".join(mechanisms))
    low, high = rules.price_band
    _check(low < high, rule="price_band", bound="the lower end is below the upper")
    _check(high - low <= PRICE_BAND_WIDTH_MAX, rule="price_band", bound=PRICE_BAND_WIDTH_MAX)
    _check(rules.cancel_fee <= RATE_MAX, rule="cancel_fee", bound=RATE_MAX)
    _check(rules.gate_lead_s < rules.opens_s, rule="gate_lead_s", bound="opens_s")
    _check(rules.opens_s <= 30 * 86_400, rule="opens_s", bound=30 * 86_400)
    _check(0 < len(rules.offsets) <= OFFSETS_MAX, rule="offsets", bound=OFFSETS_MAX)
    starts = [from_s for from_s, _ in rules.offsets]
    _check(starts == sorted(set(starts)), rule="offsets", bound="rising seconds")
    in_reach = all(-64_800 <= offset <= 64_800 for _, offset in rules.offsets)
    _check(in_reach, rule="offsets", bound="18 hours either way")
    chains = SEEDS.get(context, area.area)
    if chains is None or at_slot(chains.versions, arguments.from_slot) is None:
        raise NO_SEED_CHAIN(area=area.area, slot=arguments.from_slot)
    row = RULES.get(context, area.area)
    versions = row.versions if row is not None else []
    if len(versions) >= VERSIONS_MAX:
        raise VERSIONS_TOO_MANY(limit=VERSIONS_MAX)
    dated = with_version(versions, arguments.from_slot, rules)
    RULES.put(context, AreaRules(versions=dated), area.area)
    context.emit("market_rules_set", encode(arguments))
    return Accepted(area.area)


def rules_at(row: AreaRules | None, area: str, slot: int) -> MarketRules:
    """The rules that hold for `slot`; a slot without rules is refused."""
    rules = None if row is None else at_slot(row.versions, slot)
    if rules is None:
        raise NO_MARKET_RULES(area=area, slot=slot)
    return rules


def _check(holds: bool, *, rule: str, bound: object) -> None:  # noqa: FBT001 a condition, read at the call
    if not holds:
        raise RULE_OUT_OF_BOUNDS(rule=rule, bound=bound)
