"""Meters: who holds a meter, where it is, what it may draw and give, and who supplies it, dated.

A meter's row holds the newest few certificates and supplies, so that a batch of orders reads one row
for each meter. Older ones are rows of their own, which readers need only for slots long past. Versions
that no slot within its final deadline needs are removed when a newer one is posted, so there is no
limit to how many there have been.

Meter names exist only on the ledger: only the retailer and the DSO know which meter point and
person a name belongs to, and that link never enters the public state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from chaincode.area.history import needed_slot
from chaincode.context import Context
from chaincode.errors import METER_UNKNOWN, SUPPLY_MISSING
from chaincode.state import (
    Dated,
    DatedTable,
    DidName,
    GridLevel,
    Name,
    Row,
    Second,
    Table,
    at_slot,
    with_version,
)

VERSIONS_INLINE = 4  # in a meter's row: what holds now, and a few changes to come
METERS_REMEMBERED = 4_096  # some 5 MB; meters are read with each order and rarely change

Source = Annotated[str, msgspec.Meta(max_length=64)]
"""What generates behind a meter, in a word such as `solar`; it is copied into settled rows."""


class MeterVersion(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The certification of a meter from a slot on.

    `import_w` and `export_w` are certified powers; 0 closes the direction. `source` names what
    generates behind the meter, for certificates; if it is empty no certificates are minted.
    """

    holder: DidName
    zone: Name
    grid_level: GridLevel
    import_w: int
    export_w: int
    source: Source


class Supply(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Who supplies a meter from a slot on, and which holder agreed to it.

    The retailer supplies what trades leave of the import and answers for the holder; the offtaker
    takes what trades leave of the export. A supply holds for this holder only. Where nothing is
    measured, a part of `daily_import_wh` is estimated for each slot.
    """

    holder: DidName
    retailer: Name
    offtaker: Name
    daily_import_wh: int = 0


class Meter(Row, frozen=True, gc=False):
    """A meter's area and DSO, and its newest certificates and supplies, oldest first.

    From the slot of a certificate None on the meter is retired, and from the slot of a supply None on
    nobody supplies it. `older_versions` and `older_supplies` say that there are rows of older ones.
    """

    meter: Name
    area: Name
    dso: Name
    versions: Annotated[list[Dated[MeterVersion | None]], msgspec.Meta(max_length=VERSIONS_INLINE)]
    supplies: Annotated[list[Dated[Supply | None]], msgspec.Meta(max_length=VERSIONS_INLINE)]
    older_versions: bool = False
    older_supplies: bool = False


class AreaMeter(Row, frozen=True):
    """A meter of an area and the first slot in which it was certified."""

    from_slot: Second


class OlderCertificate(Row, frozen=True):
    """A certificate that a meter's row no longer holds; None where the meter was retired."""

    version: MeterVersion | None


class OlderSupply(Row, frozen=True):
    """A supply that a meter's row no longer holds; None where nobody supplied the meter."""

    supply: Supply | None


METERS = Table(5, "meters", Meter, ("meter",), remembered=METERS_REMEMBERED)
AREA_METERS = Table(6, "area meters", AreaMeter, ("area", "meter"))
OLDER_CERTIFICATES = DatedTable(
    53, "older certificates", OlderCertificate, ("meter", "inverted slot")
)
OLDER_SUPPLIES = DatedTable(54, "older supplies", OlderSupply, ("meter", "inverted slot"))


def get_meter(context: Context, name: str, slot: int) -> Meter:
    """The row of a meter that an act dated to `slot` is about; an unknown meter is refused."""
    meter = METERS.get(context, name)
    if meter is None:
        raise METER_UNKNOWN(meter=name, slot=slot)
    return meter


def version_at(context: Context, meter: Meter, slot: int) -> MeterVersion | None:
    """The certificate of a meter that holds for `slot`; None before the first, and once retired."""
    if meter.older_versions and slot < meter.versions[0].from_slot:
        older = OLDER_CERTIFICATES.at(context, meter.meter, slot=slot)
        return None if older is None else older.version
    return at_slot(meter.versions, slot)


def versions_from(
    context: Context, meter: Meter, first_slot: int
) -> list[Dated[MeterVersion | None]]:
    """The certificates of a meter that hold in `first_slot` and later, oldest first."""
    older: list[Dated[MeterVersion | None]] = []
    oldest = meter.versions[0].from_slot
    if meter.older_versions and first_slot < oldest:
        names = (context, meter.meter)
        for begins, row in OLDER_CERTIFICATES.from_slot(*names, slot=oldest - 1):
            older.append(Dated(begins, row.version))
            if begins <= first_slot:
                break
    return [*reversed(older), *meter.versions]


def supply_at(context: Context, meter: Meter, slot: int) -> Supply | None:
    """Who supplies a meter in `slot`; None where the meter is not certified or nobody supplies it.

    A supply ends when the next one begins, when the meter gets another holder, and when the meter is
    retired.
    """
    if meter.older_supplies and slot < meter.supplies[0].from_slot:
        older = OLDER_SUPPLIES.at(context, meter.meter, slot=slot)
        supply = None if older is None else older.supply
    else:
        supply = at_slot(meter.supplies, slot)
    if supply is None:
        return None
    version = version_at(context, meter, slot)
    return supply if version is not None and version.holder == supply.holder else None


def meter_at(context: Context, meter: Meter | None, name: str, slot: int) -> MeterVersion:
    """The certificate of a meter that holds for `slot`; a meter without one is refused."""
    version = None if meter is None else version_at(context, meter, slot)
    if version is None:
        raise METER_UNKNOWN(meter=name, slot=slot)
    return version


def supplied_at(context: Context, meter: Meter | None, name: str, slot: int) -> Supply:
    """Who supplies a meter in `slot`; a meter that nobody supplies is refused."""
    supply = None if meter is None else supply_at(context, meter, slot)
    if supply is None:
        raise SUPPLY_MISSING(meter=name, slot=slot)
    return supply


def expected_meters(context: Context, names: Sequence[str], slot: int) -> list[str]:
    """Those of `names` that take part in `slot`, in order: certified, not retired, and supplied.

    No reading of any other meter is expected, and no other meter trades or is settled.
    """
    rows = METERS.get_many(context, [(name,) for name in names])
    return [
        name
        for name, row in zip(names, rows, strict=True)
        if row is not None and supply_at(context, row, slot) is not None
    ]


def takes_part(context: Context, meter: Meter, boundary: int, *, slot_s: int) -> bool:
    """Whether a meter takes part in the slot that ends at a boundary or in the one that begins there."""
    before = supply_at(context, meter, boundary - slot_s) if boundary >= slot_s else None
    return before is not None or supply_at(context, meter, boundary) is not None


def put_version(
    context: Context, meter: Meter, from_slot: int, version: MeterVersion | None
) -> Meter:
    """The meter's row with a certificate from a slot on; the caller writes the row."""
    dated = with_version(meter.versions, from_slot, version)
    for old in dated[:-VERSIONS_INLINE]:
        row = OlderCertificate(version=old.value)
        OLDER_CERTIFICATES.put_from(context, row, meter.meter, from_slot=old.from_slot)
    if meter.older_versions:
        needed = needed_slot(context, meter.area)
        OLDER_CERTIFICATES.prune(context, meter.meter, needed_slot=needed)
    return msgspec.structs.replace(
        meter,
        versions=dated[-VERSIONS_INLINE:],
        older_versions=meter.older_versions or len(dated) > VERSIONS_INLINE,
    )


def put_supply(context: Context, meter: Meter, from_slot: int, supply: Supply | None) -> Meter:
    """The meter's row with a supply from a slot on; the caller writes the row."""
    dated = with_version(meter.supplies, from_slot, supply)
    for old in dated[:-VERSIONS_INLINE]:
        row = OlderSupply(supply=old.value)
        OLDER_SUPPLIES.put_from(context, row, meter.meter, from_slot=old.from_slot)
    if meter.older_supplies:
        needed = needed_slot(context, meter.area)
        OLDER_SUPPLIES.prune(context, meter.meter, needed_slot=needed)
    return msgspec.structs.replace(
        meter,
        supplies=dated[-VERSIONS_INLINE:],
        older_supplies=meter.older_supplies or len(dated) > VERSIONS_INLINE,
    )
