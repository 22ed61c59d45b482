"""Queries about an area's meters: who supplies and who reads them, readings, what a slot settled.

Answers come in pages, sorted by meter. Readings are private: only the peers of members that hold
the collection of readings can answer a query about them.
"""

from __future__ import annotations

from itertools import islice

import msgspec

from chaincode.area.zones import get_area, require_slot_start
from chaincode.context import Context
from chaincode.errors import PAGE_UNKNOWN
from chaincode.metering.last_resort import LAST_RESORTS, LastResort
from chaincode.metering.meters import (
    AREA_METERS,
    METERS,
    Meter,
    MeterVersion,
    Supply,
    get_meter,
    supply_at,
    takes_part,
    version_at,
)
from chaincode.metering.oracles import APPOINTMENTS, OracleSet, oracle_at, revoked_nodes
from chaincode.metering.readings import Reading, readings_at
from chaincode.settlement.settled_slot import METER_PAGES, SETTLEMENTS, MeterSettled
from chaincode.slots.gate import PageArguments, SlotArguments
from chaincode.state import (
    Id,
    Name,
    Second,
    page_part,
    slot_part,
)

PAGE_METERS = 500  # of a page of readings or meters


class ReadingsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A boundary's readings of the meters after `after`, a value from the previous page."""

    area: Id
    boundary: Second
    after: Name = ""


class ReadingsAnswer(msgspec.Struct, frozen=True):
    """The readings of up to 500 meters, and `after` for the next page (None at the end).

    A meter without a reading is left out, so a page may hold fewer than 500 readings.
    """

    readings: list[Reading]
    after: str | None


class MetersArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An area's meters after `after`, which is a value from the previous page."""

    area: Id
    after: Name = ""


class MetersAnswer(msgspec.Struct, frozen=True):
    """Meters as their rows hold them, and `after` for the next page (None at the end)."""

    meters: list[Meter]
    after: str | None


class MeterSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meter in a slot."""

    meter: Id
    slot: Second


class BoundaryMetersArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meters of a boundary, after `after`, a value from the previous page."""

    area: Id
    boundary: Second
    after: Name = ""


class BoundaryMeter(msgspec.Struct, frozen=True, gc=False):
    """A meter that is read at a boundary, and the higher of its powers before and after it, W."""

    meter: str
    import_w: int
    export_w: int


class BoundaryMetersAnswer(msgspec.Struct, frozen=True):
    """Up to 500 meters of a boundary, and `after` for the next page (None at the end).

    A meter that takes no part is left out, so a page may hold fewer than 500 meters.
    """

    meters: list[BoundaryMeter]
    after: str | None


class MeterView(msgspec.Struct, frozen=True):
    """A meter's certificate and supply in a slot; None where there is none.

    The meter takes part in the slot if it has both.
    """

    area: str
    version: MeterVersion | None
    supply: Supply | None


class LastResortView(msgspec.Struct, frozen=True):
    """The supplier of last resort named for a slot; None if none is named."""

    named: LastResort | None


class OracleView(msgspec.Struct, frozen=True):
    """Who reads an area's meters in a slot.

    `operator` is None if nobody is appointed, and `oracle` is None if the operator has named no
    nodes. `revoked` lists those nodes of the set that are revoked, now or from some time on.
    """

    operator: str | None
    oracle: OracleSet | None
    revoked: list[str]


class MeteredAnswer(msgspec.Struct, frozen=True):
    """A page of what a slot settled at its meters, and the number of pages."""

    meters: list[MeterSettled]
    pages: int


def list_readings(context: Context, arguments: ReadingsArguments) -> ReadingsAnswer:
    """A page of the readings of a boundary, sorted by meter."""
    area = get_area(context, arguments.area)
    require_slot_start(area, arguments.boundary)
    rows = AREA_METERS.range(context, arguments.area, after=arguments.after)
    page = list(islice(rows, PAGE_METERS))
    places = [
        (arguments.boundary, name) for name, row in page if row.from_slot <= arguments.boundary
    ]
    readings = readings_at(context, places)
    return ReadingsAnswer(
        [reading for reading in readings if reading is not None],
        page[-1][0] if len(page) == PAGE_METERS else None,
    )


def list_meters(context: Context, arguments: MetersArguments) -> MetersAnswer:
    """A page of an area's meters with their newest certificates and supplies."""
    get_area(context, arguments.area)
    rows = AREA_METERS.range(context, arguments.area, after=arguments.after)
    names = [name for name, _ in islice(rows, PAGE_METERS)]
    rows = METERS.get_many(context, [(name,) for name in names])
    meters = [row for row in rows if row is not None]
    return MetersAnswer(meters, names[-1] if len(names) == PAGE_METERS else None)


def describe_meter(context: Context, arguments: MeterSlot) -> MeterView:
    """A meter's certificate in a slot, and who supplies it."""
    meter = get_meter(context, arguments.meter, arguments.slot)
    return MeterView(
        area=meter.area,
        version=version_at(context, meter, arguments.slot),
        supply=supply_at(context, meter, arguments.slot),
    )


def describe_last_resort(context: Context, arguments: SlotArguments) -> LastResortView:
    """The supplier of last resort of an area in a slot, and until which slot it takes meters."""
    area = get_area(context, arguments.area)
    return LastResortView(LAST_RESORTS.at(context, area.area, slot=arguments.slot))


def describe_oracle(context: Context, arguments: SlotArguments) -> OracleView:
    """The oracle operator of an area in a slot, and the nodes whose signatures count."""
    area = get_area(context, arguments.area).area
    appointed = APPOINTMENTS.at(context, area, slot=arguments.slot)
    oracle = oracle_at(context, area, arguments.slot)
    return OracleView(
        operator=None if appointed is None else appointed.operator,
        oracle=oracle,
        revoked=[] if oracle is None else revoked_nodes(context, area, oracle.nodes),
    )


def list_boundary_meters(
    context: Context, arguments: BoundaryMetersArguments
) -> BoundaryMetersAnswer:
    """A page of the meters that are read at a boundary: those that take part before or after it."""
    area, boundary = get_area(context, arguments.area), arguments.boundary
    require_slot_start(area, boundary)
    rows = AREA_METERS.range(context, arguments.area, after=arguments.after)
    page = list(islice(rows, PAGE_METERS))
    names = [(name,) for name, row in page if row.from_slot <= boundary]
    meters: list[BoundaryMeter] = []
    for meter in METERS.get_many(context, names):
        if meter is None or not takes_part(context, meter, boundary, slot_s=area.slot_s):
            continue
        both = (max(0, boundary - area.slot_s), boundary)
        held = [v for v in (version_at(context, meter, slot) for slot in both) if v is not None]
        import_w, export_w = max(v.import_w for v in held), max(v.export_w for v in held)
        meters.append(BoundaryMeter(meter.meter, import_w, export_w))
    return BoundaryMetersAnswer(meters, page[-1][0] if len(page) == PAGE_METERS else None)


def list_metered(context: Context, arguments: PageArguments) -> MeteredAnswer:
    """A page of what a slot settled at each meter."""
    part = slot_part(arguments.slot)
    sums = SETTLEMENTS.get(context, arguments.area, part)
    pages = 0 if sums is None else sums.meter_pages
    if arguments.page >= max(1, pages):
        raise PAGE_UNKNOWN(page=arguments.page, pages=pages)
    page = METER_PAGES.get(context, arguments.area, part, page_part(arguments.page))
    return MeteredAnswer([] if page is None else page.meters, pages)
