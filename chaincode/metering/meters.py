"""Certified meters: holder, retailer, offtaker, DSO, zone, grid level and powers, dated.

Meter names exist only on the ledger: only the retailer and the DSO know which meter point and
person a name belongs to, and that link never enters the public state.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.area.intents import require_hold
from chaincode.area.tariffs import Tariffs
from chaincode.area.zones import (
    VERSIONS_MAX,
    ZONES,
    own_area,
    require_open,
)
from chaincode.consortium.organisations import require_role
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.documents.document import Token
from chaincode.errors import (
    METER_AREA_FIXED,
    METER_POWER_BOUNDS,
    METER_UNKNOWN,
    NOT_METER_DSO,
    PARTICIPANT_UNKNOWN,
    VERSIONS_TOO_MANY,
    ZONE_UNKNOWN,
)
from chaincode.state import (
    Count,
    Dated,
    Did,
    DidName,
    GridLevel,
    Id,
    Name,
    Row,
    Second,
    Table,
    at_slot,
    encode,
    with_version,
)

POWER_W_MAX = 100_000_000  # 100 MW: beyond any meter of a distribution grid

Source = Annotated[str, msgspec.Meta(max_length=64)]
"""What generates behind a meter, in a word such as `solar`; it is copied into settled rows."""


class MeterVersion(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The certification of a meter from a slot on.

    `import_w` and `export_w` are certified powers; 0 closes the direction. `source` names what
    generates behind the meter, for certificates; if it is empty no certificates are minted.
    """

    holder: DidName
    retailer: Name
    offtaker: Name
    dso: Name
    area: Name
    zone: Name
    grid_level: GridLevel
    import_w: int
    export_w: int
    source: Source


class Meter(Row, frozen=True, gc=False):
    """A meter's dated versions, oldest first."""

    meter: Name
    versions: Annotated[list[Dated[MeterVersion]], msgspec.Meta(max_length=VERSIONS_MAX)]


class AreaMeter(Row, frozen=True):
    """A meter of an area and the first slot in which it is certified."""

    from_slot: Second


METERS_REMEMBERED = 4_096  # some 5 MB; meters are read with each order and rarely change

METERS = Table(5, "meters", Meter, ("meter",), remembered=METERS_REMEMBERED)
AREA_METERS = Table(6, "area meters", AreaMeter, ("area", "meter"))


class MeterArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certified meter from `from_slot` on; if `offtaker` is absent, it is the retailer.

    `hold` is the holder's signed token, which a meter needs when it gets another holder.
    """

    meter: Id
    holder: Did
    retailer: Id
    zone: Id
    grid_level: GridLevel
    import_w: Count
    export_w: Count
    from_slot: Second
    offtaker: Id | None = None
    source: Source = ""
    hold: Token | None = None


def register_certified_meter(context: Context, arguments: MeterArguments) -> Accepted:
    """Certify a meter in the caller's area, or a new version of it, from an open slot on."""
    holder = PARTICIPANTS.get(context, arguments.holder)
    if holder is None:
        raise PARTICIPANT_UNKNOWN(did=arguments.holder)
    offtaker = arguments.offtaker or arguments.retailer
    for retailer in (arguments.retailer, offtaker):
        require_role(context, retailer, "retailer")
    zone = ZONES.get(context, arguments.zone)
    if zone is None:
        raise ZONE_UNKNOWN(zone=arguments.zone)
    own_area(context, zone.area)
    require_open(context, zone.area, arguments.from_slot)
    tariffs = Tariffs(context, zone.area, arguments.from_slot)
    for retailer in (arguments.retailer, offtaker):
        tariffs.residual(retailer)  # without these prices no slot with this meter could settle
    if max(arguments.import_w, arguments.export_w) > POWER_W_MAX:
        raise METER_POWER_BOUNDS(limit_w=POWER_W_MAX)
    row = METERS.get(context, arguments.meter)
    versions = row.versions if row is not None else []
    if versions and versions[-1].value.dso != context.caller.member:
        raise NOT_METER_DSO(meter=arguments.meter, dso=versions[-1].value.dso)
    if versions and versions[-1].value.area != zone.area:
        raise METER_AREA_FIXED(meter=arguments.meter, area=versions[-1].value.area)
    if len(versions) >= VERSIONS_MAX:
        raise VERSIONS_TOO_MANY(limit=VERSIONS_MAX)
    earlier = at_slot(versions, arguments.from_slot)
    if earlier is None or earlier.holder != arguments.holder:
        named = {"area": zone.area, "meter": arguments.meter, "holder": arguments.holder}
        require_hold(context, arguments.hold, **named)
    version = MeterVersion(
        holder=arguments.holder,
        retailer=arguments.retailer,
        offtaker=offtaker,
        dso=context.caller.member,
        area=zone.area,
        zone=arguments.zone,
        grid_level=arguments.grid_level,
        import_w=arguments.import_w,
        export_w=arguments.export_w,
        source=arguments.source,
    )
    dated = with_version(versions, arguments.from_slot, version)
    METERS.put(context, Meter(meter=arguments.meter, versions=dated), arguments.meter)
    area_meter = AreaMeter(from_slot=dated[0].from_slot)
    AREA_METERS.put(context, area_meter, zone.area, arguments.meter)
    context.emit("meter_registered", encode(msgspec.structs.replace(arguments, hold=None)))
    return Accepted(arguments.meter)


def meter_at(meter: Meter | None, name: str, slot: int) -> MeterVersion:
    """The version of a meter that holds for `slot`; a meter unknown in that slot is refused."""
    version = None if meter is None else at_slot(meter.versions, slot)
    if version is None:
        raise METER_UNKNOWN(meter=name, slot=slot)
    return version
