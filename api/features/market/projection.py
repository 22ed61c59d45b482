"""Writes areas, zones, rules, clocks and the phases of slots from events.

An event of a slot only names the slot: its rows are read from the ledger, and what the tables held
for the slot before is subtracted, so an event may be handled twice. Such an event is alone in its
batch, because all earlier events have to be in the tables already.
"""

from __future__ import annotations

import msgspec

from api.features.accounts import projection as accounts
from api.features.event_context import EventContext
from api.features.orders import projection as orders
from api.features.trades import projection as trades
from api.read_model.statements import insert, upsert
from chaincode.area.clock import Clock, ClockArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.zones import AreaArguments, PauseArguments, ZoneArguments
from chaincode.clearing.run import SlotCleared
from chaincode.settlement.correction import SlotCorrected
from chaincode.settlement.run import SlotSettled
from chaincode.slots.draw import SeedShown
from chaincode.slots.gate import GateClosed
from chaincode.state import encode

PUT_AREA = upsert(
    "area",
    ["area"],
    ["dso", "slot_s", "real_anchor_s", "market_anchor_s", "rate", "demonstration"],
)
SET_CLOCK = "UPDATE area SET real_anchor_s = ?, market_anchor_s = ?, rate = ? WHERE area = ?"
PUT_RULES = upsert("market_rules", ["area", "from_slot"], ["rules"])
PUT_ZONE = upsert("zone", ["zone"], ["area", "parent", "grid_level", "paused"])
SET_PAUSED = "UPDATE zone SET paused = ? WHERE zone = ?"
PUT_PHASE = (
    f"{insert('slot', orders.SLOT_COLUMNS)} ON CONFLICT (area, slot) DO UPDATE SET "
    "phase = excluded.phase, block = excluded.block"
)
PUT_SLOT = upsert("slot", ["area", "slot"], ["phase", "gate_s", *orders.SLOT_SUMS, "block"])
PUT_SEED = upsert("slot_seed", ["area", "slot", "member"], ["seed"])
PUT_PRICE = upsert(
    "zone_price",
    ["area", "zone", "slot"],
    ["price", "volume_wh", "orders", "trades", "block"],
)


def area_registered(data: msgspec.Raw, at: EventContext) -> None:
    """Add an area with its root zone."""
    arguments = msgspec.json.decode(data, type=AreaArguments)
    at.registry.zone_areas[arguments.root] = arguments.area
    no_clock = (0, 0, 0)
    shown = (at.happened.member, arguments.slot_s, *no_clock, arguments.demonstration)
    at.batch.put(PUT_AREA, (arguments.area, *shown))
    at.batch.put(PUT_ZONE, (arguments.root, arguments.area, None, arguments.grid_level, False))


def zone_registered(data: msgspec.Raw, at: EventContext) -> None:
    """Add a zone."""
    arguments = msgspec.json.decode(data, type=ZoneArguments)
    at.registry.zone_areas[arguments.zone] = arguments.area
    row = (arguments.zone, arguments.area, arguments.parent, arguments.grid_level, False)
    at.batch.put(PUT_ZONE, row)


def zone_paused(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a zone is paused and takes no orders."""
    at.batch.put(SET_PAUSED, (True, msgspec.json.decode(data, type=PauseArguments).zone))


def zone_resumed(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a zone takes orders again."""
    at.batch.put(SET_PAUSED, (False, msgspec.json.decode(data, type=PauseArguments).zone))


def market_rules_set(data: msgspec.Raw, at: EventContext) -> None:
    """Add the market rules of an area from a slot on."""
    arguments = msgspec.json.decode(data, type=RulesArguments)
    at.registry.set_rules(arguments.area, arguments.from_slot, arguments.rules)
    row = (arguments.area, arguments.from_slot, encode(arguments.rules).decode())
    at.batch.put(PUT_RULES, row)


def clock_set(data: msgspec.Raw, at: EventContext) -> None:
    """Set a new relation of market time to real time."""
    clock = msgspec.json.decode(data, type=ClockArguments)
    at.registry.clocks[clock.area] = Clock(
        real_anchor_s=clock.real_anchor, market_anchor_s=clock.market_anchor, rate=clock.rate
    )
    at.batch.put(SET_CLOCK, (clock.real_anchor, clock.market_anchor, clock.rate, clock.area))


async def gate_closed(data: msgspec.Raw, at: EventContext) -> None:
    """Note that the gate of a slot has closed, and whose seeds its draw awaits."""
    gate = msgspec.json.decode(data, type=GateClosed)
    gate_s = at.registry.gate_s(gate.area, gate.slot)
    sums = (0, 0, 0, 0, 0, 0)
    at.batch.put(PUT_PHASE, (gate.area, gate.slot, "CLOSED", gate_s, *sums, at.block))
    for member in gate.seeds:
        at.batch.put(PUT_SEED, (gate.area, gate.slot, member, None))
    at.batch.slots.add((gate.area, gate.slot))


async def seed_revealed(data: msgspec.Raw, at: EventContext) -> None:
    """Write the seed that a member has revealed for a slot."""
    shown = msgspec.json.decode(data, type=SeedShown)
    at.batch.put(PUT_SEED, (shown.area, shown.slot, shown.member, shown.seed))
    at.batch.slots.add((shown.area, shown.slot))


async def slot_cleared(data: msgspec.Raw, at: EventContext) -> None:
    """Write the zones' clearing prices, the trades, and the orders that were left out."""
    event = msgspec.json.decode(data, type=SlotCleared)
    area, slot, block = event.area, event.slot, at.block
    matched = await at.questions.trades(area, slot, count=event.trades)
    sums = (0, 0, 0, 0, 0, 0)
    gate_s = at.registry.gate_s(area, slot)
    at.batch.put(PUT_PHASE, (area, slot, "CLEARED", gate_s, *sums, block))
    at.batch.slots.add((area, slot))
    for zone in event.zones:
        figures = (zone.price, zone.volume_wh, zone.orders, zone.trades, block)
        at.batch.put(PUT_PRICE, (area, zone.zone, slot, *figures))
    trades.match(at, area, slot, matched)
    orders.match(at, area, slot, matched, settled=False)
    await orders.leave_out(at, event)


async def slot_settled(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a slot has settled."""
    await _settled(at, msgspec.json.decode(data, type=SlotSettled))


async def slot_corrected(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a slot was settled again with newer readings."""
    await _settled(at, msgspec.json.decode(data, type=SlotCorrected))


async def _settled(at: EventContext, event: SlotSettled | SlotCorrected) -> None:
    """Write trades, postings and certificates after a settlement or a correction."""
    area, slot, sums, block = event.area, event.slot, event.settlement, at.block
    held = await trades.held(at, area, slot)
    matched = await at.questions.trades(area, slot, count=len(held))
    metered = await at.questions.metered(area, slot, pages=sums.meter_pages)
    postings = await at.questions.postings(area, slot, count=sums.postings)
    figures = (
        sums.settled_wh, sums.residual_wh, sums.surplus_wh, sums.minted_wh, sums.retired_wh,
        sums.estimated,
    )  # fmt: skip
    gate_s = at.registry.gate_s(area, slot)
    at.batch.put(PUT_SLOT, (area, slot, "SETTLED", gate_s, *figures, block))
    at.batch.slots.add((area, slot))
    trades.settle(at, area, slot, held=held, trades=matched)
    orders.match(at, area, slot, matched, settled=True)
    await accounts.certify(at, area, slot, metered)
    await accounts.post(at, area, slot, postings)
