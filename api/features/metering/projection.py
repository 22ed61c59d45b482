"""Writes certified meters, who supplies them, and their readings from events."""

from __future__ import annotations

import msgspec

from api.features.event_context import EventContext
from api.features.registry import Holding
from api.read_model.statements import upsert
from chaincode.metering.certification import MeterArguments, MeterRetired
from chaincode.metering.reports import ReadingsRecorded
from chaincode.metering.supply import SupplyBegun

PUT_METER = upsert(
    "meter",
    ["meter", "from_slot"],
    [
        "area", "holder", "zone", "grid_level", "import_w", "export_w", "source", "retired",
    ],
)  # fmt: skip
PUT_SUPPLY = upsert("supply", ["meter", "from_slot"], ["holder", "retailer", "offtaker"])
PUT_READING = upsert(
    "reading",
    ["meter", "boundary"],
    ["slot", "rank", "import_wh", "export_wh", "generation_wh", "resolution_wh", "block"],
)  # fmt: skip


def meter_registered(data: msgspec.Raw, at: EventContext) -> None:
    """Add a certified meter, from a slot on; another holder ends the supply."""
    meter = msgspec.json.decode(data, type=MeterArguments)
    before = at.registry.holding(meter.meter, meter.from_slot)
    if before is None or before.holder != meter.holder:
        _end_supply(at, meter.meter, meter.from_slot)
    at.registry.set_holding(meter.meter, meter.from_slot, Holding(meter.holder, meter.zone))
    row = (
        meter.meter, meter.from_slot, at.registry.zone_areas[meter.zone], meter.holder,
        meter.zone, meter.grid_level, meter.import_w, meter.export_w, meter.source, False,
    )  # fmt: skip
    at.batch.put(PUT_METER, row)
    at.batch.traders.add(meter.holder)


def meter_retired(data: msgspec.Raw, at: EventContext) -> None:
    """Retire a meter from a slot on, which also ends its supply."""
    told = msgspec.json.decode(data, type=MeterRetired)
    last = told.last
    row = (
        told.meter, told.from_slot, told.area, last.holder, last.zone, last.grid_level,
        last.import_w, last.export_w, last.source, True,
    )  # fmt: skip
    at.batch.put(PUT_METER, row)
    _end_supply(at, told.meter, told.from_slot)
    at.batch.traders.add(last.holder)


def supply_begun(data: msgspec.Raw, at: EventContext) -> None:
    """Note who supplies a meter from a slot on."""
    told = msgspec.json.decode(data, type=SupplyBegun)
    row = (told.meter, told.from_slot, told.holder, told.retailer, told.offtaker)
    at.batch.put(PUT_SUPPLY, row)
    at.batch.traders.add(told.holder)


def _end_supply(at: EventContext, meter: str, from_slot: int) -> None:
    """Note that nobody supplies a meter from a slot on."""
    at.batch.put(PUT_SUPPLY, (meter, from_slot, "", "", ""))


async def readings_recorded(data: msgspec.Raw, at: EventContext) -> None:
    """Write the registers that a report has brought, as they are now."""
    event = msgspec.json.decode(data, type=ReadingsRecorded)
    rows = at.batch.rows(PUT_READING)
    for reading in await at.questions.readings(
        event.area, event.boundary, root=event.root, count=event.recorded
    ):
        leaf = reading.leaf
        rows.append(
            (
                leaf.meter, event.boundary, event.slot, reading.rank, leaf.import_wh,
                leaf.export_wh, leaf.generation_wh, leaf.resolution_wh, at.block,
            )
        )  # fmt: skip
    at.batch.slots.add((event.area, event.slot))
