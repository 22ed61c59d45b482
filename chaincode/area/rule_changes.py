"""Posting market rules: what the DSO may change, and from which slot on.

Rules move the opening and the gate of slots, so they are checked by the rules that held before and
by themselves: neither may have opened the slot. Gates stay in the order of slots, because they are
closed in that order.
"""

from __future__ import annotations

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.history import begin_history, needed_slot
from chaincode.area.opening import require_opening, require_unopened
from chaincode.area.rules import AHEAD_MAX, RULES, AreaRules, MarketRules
from chaincode.area.seed_chains import chain_at
from chaincode.area.zones import Area, get_lane, own_area
from chaincode.auctions.mechanisms import area_mechanisms
from chaincode.context import Accepted, Context
from chaincode.errors import NO_SEED_CHAIN, RULE_OUT_OF_BOUNDS, RULES_AHEAD
from chaincode.state import Id, Second, encode

PRICE_BAND_WIDTH_MAX = 1_000_000_000  # 1,000 currency units per kWh from lowest to highest


class RulesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules of an area from a slot on."""

    area: Id
    from_slot: Second
    rules: MarketRules


def set_market_rules(context: Context, arguments: RulesArguments) -> Accepted:
    """Post an area's rules from a slot on; the slot's seed chain must be posted first."""
    area = own_area(context, arguments.area)
    from_slot, rules = arguments.from_slot, arguments.rules
    require_unopened(context, area, from_slot)
    require_opening(rules, from_slot, market_time_s(context, area.area))
    _check_rules(rules, area)
    _check_beside(context, area, from_slot, rules)
    if chain_at(context, area.area, area.dso, from_slot) is None:
        raise NO_SEED_CHAIN(member=area.dso, area=area.area, slot=from_slot)
    RULES.put_from(context, AreaRules(rules=rules), area.area, from_slot=from_slot)
    RULES.prune(context, area.area, needed_slot=needed_slot(context, area.area))
    begin_history(context, area.area, from_slot)
    context.emit("market_rules_set", encode(arguments))
    return Accepted(area.area)


def _check_rules(rules: MarketRules, area: Area) -> None:
    mechanisms = area_mechanisms()
    _check(rules.mechanism in mechanisms, rule="mechanism", bound=" or ".join(mechanisms))
    low, high = rules.price_band
    _check(low < high, rule="price_band", bound="the lower end is below the upper")
    _check(high - low <= PRICE_BAND_WIDTH_MAX, rule="price_band", bound=PRICE_BAND_WIDTH_MAX)
    _check(rules.gate_lead_s < rules.opens_s, rule="gate_lead_s", bound="opens_s")
    one_slot = f"one slot of {area.slot_s} seconds"
    _check(rules.seed_deadline_s <= area.slot_s, rule="seed_deadline_s", bound=one_slot)
    _check(rules.report_deadline_s < rules.final_s, rule="final_s", bound="report_deadline_s")
    starts = [from_s for from_s, _ in rules.offsets]
    _check(starts == sorted(set(starts)), rule="offsets", bound="rising seconds")


def _check_beside(context: Context, area: Area, from_slot: int, rules: MarketRules) -> None:
    """Check the gates at both ends of the version, and how many versions begin later."""
    closed = get_lane(context, area.area).closed_slot
    ahead = 0
    following: tuple[int, MarketRules] | None = None
    preceding: MarketRules | None = None
    for begins, row in RULES.from_newest(context, area.area):
        ahead += begins > closed and begins != from_slot
        if begins > from_slot:
            following = (begins, row.rules)
        elif begins < from_slot:
            preceding = preceding or row.rules
            if begins <= closed:
                break
    if ahead >= AHEAD_MAX:
        raise RULES_AHEAD(limit=AHEAD_MAX)
    bound = f"at most {area.slot_s} seconds more than in the slot before, so gates stay in order"
    if preceding is not None:
        holds = rules.gate_lead_s - preceding.gate_lead_s <= area.slot_s
        _check(holds, rule="gate_lead_s", bound=bound)
    if following is not None:
        holds = following[1].gate_lead_s - rules.gate_lead_s <= area.slot_s
        _check(holds, rule="gate_lead_s", bound=f"{bound} (the version from {following[0]} on)")


def _check(holds: bool, *, rule: str, bound: object) -> None:  # noqa: FBT001 a condition, read at the call
    if not holds:
        raise RULE_OUT_OF_BOUNDS(rule=rule, bound=bound)
