"""Certification: the DSO certifies a meter from a slot on, changes it, or retires it.

Each act is dated to a slot that has not opened. A certificate says nothing of who supplies the meter:
see `supply.py`. Another holder, and retirement, end the supply, because a supply holds for the holder
that agreed to it. A meter that was retired may be certified again; it then needs a supply again.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.area.intents import require_hold
from chaincode.area.opening import require_unopened
from chaincode.area.zones import ZONES, get_area, own_area
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import Accepted, Context
from chaincode.documents.document import Token
from chaincode.errors import (
    METER_AREA_FIXED,
    METER_POWER_BOUNDS,
    METER_UNKNOWN,
    NOT_METER_DSO,
    PARTICIPANT_UNKNOWN,
    ZONE_UNKNOWN,
)
from chaincode.metering.meter_counts import count_meter
from chaincode.metering.meters import (
    AREA_METERS,
    METERS,
    AreaMeter,
    Meter,
    MeterVersion,
    get_meter,
    put_supply,
    put_version,
    version_at,
)
from chaincode.state import Count, Did, GridLevel, Id, Second, encode

POWER_W_MAX = 100_000_000  # 100 MW: beyond any meter of a distribution grid
SOURCE_MAX = 64  # characters; a slot's page of meters repeats the source of each

Source = Annotated[str, msgspec.Meta(max_length=SOURCE_MAX)]


class MeterArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certified meter from `from_slot` on.

    `hold` is the holder's signed token, which a meter needs when it gets another holder.
    """

    meter: Id
    holder: Did
    zone: Id
    grid_level: GridLevel
    import_w: Count
    export_w: Count
    from_slot: Second
    source: Source = ""
    hold: Token | None = None


class RetirementArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meter to retire, and the first slot that it takes no part in."""

    meter: Id
    from_slot: Second


class MeterRetired(msgspec.Struct, frozen=True):
    """The event of a retired meter, with the certificate that held until then."""

    meter: str
    from_slot: int
    area: str
    last: MeterVersion


def register_certified_meter(context: Context, arguments: MeterArguments) -> Accepted:
    """Certify a meter in the caller's area, or a new version of it, from an unopened slot on."""
    if PARTICIPANTS.get(context, arguments.holder) is None:
        raise PARTICIPANT_UNKNOWN(did=arguments.holder)
    zone = ZONES.get(context, arguments.zone)
    if zone is None:
        raise ZONE_UNKNOWN(zone=arguments.zone)
    area = own_area(context, zone.area)
    require_unopened(context, area, arguments.from_slot)
    if max(arguments.import_w, arguments.export_w) > POWER_W_MAX:
        raise METER_POWER_BOUNDS(limit_w=POWER_W_MAX)
    meter = METERS.get(context, arguments.meter)
    if meter is None:
        meter = Meter(meter=arguments.meter, area=area.area, dso=area.dso, versions=[], supplies=[])
    if meter.dso != context.caller.member:
        raise NOT_METER_DSO(meter=arguments.meter, dso=meter.dso)
    if meter.area != area.area:
        raise METER_AREA_FIXED(meter=arguments.meter, area=meter.area)
    held_by = _holder_at(context, meter, arguments.from_slot)
    if held_by != arguments.holder:
        named = {"area": area.area, "meter": arguments.meter, "holder": arguments.holder}
        require_hold(context, arguments.hold, **named)
    version = MeterVersion(
        holder=arguments.holder,
        zone=arguments.zone,
        grid_level=arguments.grid_level,
        import_w=arguments.import_w,
        export_w=arguments.export_w,
        source=arguments.source,
    )
    if meter.supplies and held_by != arguments.holder:
        meter = put_supply(context, meter, arguments.from_slot, None)
    meter = put_version(context, meter, arguments.from_slot, version)
    _remember_first(context, meter, arguments.from_slot)
    METERS.put(context, meter, arguments.meter)
    context.emit("meter_registered", encode(msgspec.structs.replace(arguments, hold=None)))
    return Accepted(arguments.meter)


def retire_meter(context: Context, arguments: RetirementArguments) -> Accepted:
    """Retire a meter from an unopened slot on: it takes no part in that slot and later ones."""
    meter = get_meter(context, arguments.meter, arguments.from_slot)
    if meter.dso != context.caller.member:
        raise NOT_METER_DSO(meter=arguments.meter, dso=meter.dso)
    require_unopened(context, get_area(context, meter.area), arguments.from_slot)
    last = version_at(context, meter, arguments.from_slot)
    if last is None:
        raise METER_UNKNOWN(meter=arguments.meter, slot=arguments.from_slot)
    if meter.supplies:
        meter = put_supply(context, meter, arguments.from_slot, None)
    meter = put_version(context, meter, arguments.from_slot, None)
    METERS.put(context, meter, arguments.meter)
    retired = MeterRetired(arguments.meter, arguments.from_slot, meter.area, last)
    context.emit("meter_retired", encode(retired))
    return Accepted(arguments.meter)


def _holder_at(context: Context, meter: Meter, slot: int) -> str | None:
    version = version_at(context, meter, slot) if meter.versions else None
    return None if version is None else version.holder


def _remember_first(context: Context, meter: Meter, from_slot: int) -> None:
    row = AREA_METERS.get(context, meter.area, meter.meter)
    if row is None:
        count_meter(context, meter.area, meter.meter)
    if row is None or from_slot < row.from_slot:
        AREA_METERS.put(context, AreaMeter(from_slot=from_slot), meter.area, meter.meter)
