"""What the projection keeps in mind: areas, rules, zones, meters, participants.

It is read from the tables when the projection starts, and grows with what it writes to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from api.read_model.database import Database
from chaincode.area.clock import Clock
from chaincode.area.rules import MarketRules
from chaincode.state import Dated, at_slot, with_version


class Holding(NamedTuple):
    """Who holds a meter and where it is, from some slot on."""

    holder: str
    zone: str


@dataclass
class Registry:
    """The members' registers as far as the events up to now have told."""

    zone_areas: dict[str, str] = field(default_factory=dict[str, str])
    clocks: dict[str, Clock] = field(default_factory=dict[str, Clock])
    rules: dict[str, list[Dated[MarketRules]]] = field(
        default_factory=dict[str, list[Dated[MarketRules]]]
    )
    retailers: dict[str, str] = field(default_factory=dict[str, str])
    holdings: dict[str, list[Dated[Holding]]] = field(
        default_factory=dict[str, list[Dated[Holding]]]
    )

    def gate_s(self, area: str, slot: int) -> int | None:
        """When the gate of a slot closes; None without rules for it."""
        rules = at_slot(self.rules.get(area, []), slot)
        return None if rules is None else rules.gate_s(slot)

    def market_s(self, area: str, time_s: int) -> int:
        """Market time at transaction time `time_s`; transaction time itself without a clock."""
        clock = self.clocks.get(area)
        return time_s if clock is None else clock.market_s(time_s)

    def holding(self, meter: str, slot: int) -> Holding | None:
        """Who holds a meter in a slot; None where it is not known by then."""
        return at_slot(self.holdings.get(meter, []), slot)

    def set_rules(self, area: str, from_slot: int, rules: MarketRules) -> None:
        """Rules of an area from a slot on."""
        self.rules[area] = with_version(self.rules.get(area, []), from_slot, rules)

    def set_holding(self, meter: str, from_slot: int, holding: Holding) -> None:
        """A meter's holder and zone from a slot on."""
        versions = self.holdings.get(meter, [])
        self.holdings[meter] = with_version(versions, from_slot, holding)


async def read_registry(database: Database) -> Registry:
    """What the tables hold of the registers."""
    known = Registry()
    zones = await database.rows("SELECT zone, area FROM zone")
    known.zone_areas.update((zone, area) for zone, area in zones)
    for area, real_s, market_s, rate in await database.rows(
        "SELECT area, real_anchor_s, market_anchor_s, rate FROM area WHERE rate > 0"
    ):
        known.clocks[area] = Clock(real_anchor_s=real_s, market_anchor_s=market_s, rate=rate)
    for area, from_slot, rules in await database.rows(
        "SELECT area, from_slot, rules FROM market_rules"
    ):
        known.set_rules(area, from_slot, msgspec.json.decode(rules, type=MarketRules))
    participants = await database.rows("SELECT did, retailer FROM participant")
    known.retailers.update((did, retailer) for did, retailer in participants)
    for meter, from_slot, holder, zone in await database.rows(
        "SELECT meter, from_slot, holder, zone FROM meter"
    ):
        known.set_holding(meter, from_slot, Holding(holder, zone))
    return known
