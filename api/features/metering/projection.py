"""Writes certified meters and their readings from events."""

from __future__ import annotations

import msgspec

from api.features.event_context import EventContext
from api.features.registry import Holding
from api.read_model.statements import upsert
from chaincode.metering.certification import MeterArguments
from chaincode.metering.reports import Report

PUT_METER = upsert(
    "meter",
    ["meter", "from_slot"],
    [
        "area", "holder", "retailer", "zone", "grid_level", "import_w", "export_w", "source",
    ],
)  # fmt: skip
PUT_READING = upsert(
    "reading",
    ["meter", "slot", "version"],
    [
        "import_from_wh", "import_to_wh", "export_from_wh", "export_to_wh", "quality",
        "resolution_wh", "block",
    ],
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
    """Write the newest readings of the slot that a report is about."""
    report = msgspec.json.decode(data, type=Report)
    rows = at.batch.rows(PUT_READING)
    for found in await at.questions.readings(
        report.area, report.slot, root=report.root, count=report.count
    ):
        leaf = found.reading.leaf
        rows.append(
            (
                leaf.meter, report.slot, found.version, leaf.import_from_wh, leaf.import_to_wh,
                leaf.export_from_wh, leaf.export_to_wh, leaf.quality, leaf.resolution_wh, at.block,
            )
        )  # fmt: skip
    at.batch.slots.add((report.area, report.slot))
