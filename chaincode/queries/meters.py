"""Queries about an area's meters: certified versions, readings, and what a slot settled.

Answers come in pages, sorted by meter. Readings are private: only the peers of members that hold
the collection of readings can answer a query about them.
"""

from __future__ import annotations

from itertools import islice

import msgspec

from chaincode.area.zones import get_area, require_slot_start
from chaincode.context import Context
from chaincode.errors import PAGE_UNKNOWN
from chaincode.metering.meters import AREA_METERS, METERS, Meter
from chaincode.metering.readings import Reading, readings_at
from chaincode.settlement.settled_slot import METER_PAGES, SETTLEMENTS, MeterSettled
from chaincode.slots.gate import (
    PageArguments,
)
from chaincode.state import (
    Id,
    Name,
    Second,
    page_part,
    slot_part,
)

PAGE_METERS = 500  # of a page of readings or meters
PAGE_VERSIONS = 2_000  # of a page of certified meters, some 700 kB; a meter is on one page only


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
    """Certified meters with all their versions, and `after` for the next page (None at the end)."""

    meters: list[Meter]
    after: str | None


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
    """A page of an area's certified meters with all their dated versions."""
    get_area(context, arguments.area)
    rows = AREA_METERS.range(context, arguments.area, after=arguments.after)
    names = [name for name, _ in islice(rows, PAGE_METERS)]
    meters: list[Meter] = []
    room = PAGE_VERSIONS
    for row in METERS.get_many(context, [(name,) for name in names]):
        if row is None:
            continue
        if meters and len(row.versions) > room:
            return MetersAnswer(meters, meters[-1].meter)
        room -= len(row.versions)
        meters.append(row)
    return MetersAnswer(meters, names[-1] if len(names) == PAGE_METERS else None)


def list_metered(context: Context, arguments: PageArguments) -> MeteredAnswer:
    """A page of what a slot settled at each meter."""
    part = slot_part(arguments.slot)
    sums = SETTLEMENTS.get(context, arguments.area, part)
    pages = 0 if sums is None else sums.meter_pages
    if arguments.page >= max(1, pages):
        raise PAGE_UNKNOWN(page=arguments.page, pages=pages)
    page = METER_PAGES.get(context, arguments.area, part, page_part(arguments.page))
    return MeteredAnswer([] if page is None else page.meters, pages)
