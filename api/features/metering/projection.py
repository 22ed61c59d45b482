"""Writes certified meters and their readings from events."""

from __future__ import annotations

import msgspec

from api.features.event_context import EventContext
from api.features.registry import Holding
from api.read_model.statements import upsert
from chaincode.metering.meters import MeterArguments
from chaincode.metering.reports import ReadingsRecorded

PUT_METER = upsert(
    "meter",
    ["meter", "from_slot"],
    [
        "area", "holder", "retailer", "zone", "grid_level", "import_w", "export_w", "source",
    ],
)  # fmt: skip
PUT_READING = upsert(
    "reading",
    ["meter", "boundary"],
    ["slot", "rank", "import_wh", "export_wh", "generation_wh", "resolution_wh", "block"],
)  # fmt: skip


def meter_registered(data: msgspec.Raw, at: EventContext) -> None:
    """Add a certified meter, from a slot on."""
    meter = msgspec.json.decode(data, type=MeterArguments)
    at.registry.set_holding(meter.meter, meter.from_slot, Holding(meter.holder, meter.zone))
    row = (
        meter.meter, meter.from_slot, at.registry.zone_areas[meter.zone], meter.holder,
        meter.retailer, meter.zone, meter.grid_level, meter.import_w, meter.export_w, meter.source,
    )  # fmt: skip
    at.batch.put(PUT_METER, row)
    at.batch.traders.add(meter.holder)


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
