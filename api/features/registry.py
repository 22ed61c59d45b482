"""What the projection keeps in memory: areas, rules, zones, meters, participants.

The projection reads the registry from the tables when it starts, and updates it with each event.
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
    """A meter's holder and zone, from some slot on."""

    holder: str
    zone: str


@dataclass
class Registry:
    """The members' registers after the events that are projected so far."""

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
        """Return when the gate of a slot closes; None without rules for the slot."""
        rules = at_slot(self.rules.get(area, []), slot)
        return None if rules is None else rules.gate_s(slot)

    def market_s(self, area: str, time_s: int) -> int:
        """Return market time at transaction time `time_s`; `time_s` itself without a clock."""
        clock = self.clocks.get(area)
        return time_s if clock is None else clock.market_s(time_s)

    def holding(self, meter: str, slot: int) -> Holding | None:
        """Return who holds a meter in a slot; None if the meter is not certified for the slot."""
        return at_slot(self.holdings.get(meter, []), slot)

    def set_rules(self, area: str, from_slot: int, rules: MarketRules) -> None:
        """Set the rules of an area from a slot on."""
        self.rules[area] = with_version(self.rules.get(area, []), from_slot, rules)

    def set_holding(self, meter: str, from_slot: int, holding: Holding) -> None:
        """Set a meter's holder and zone from a slot on."""
        versions = self.holdings.get(meter, [])
        self.holdings[meter] = with_version(versions, from_slot, holding)


async def read_registry(database: Database) -> Registry:
    """Return the registers from the tables."""
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
