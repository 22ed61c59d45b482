"""The supplier of last resort of an area: who takes a client whose supplier no longer should.

The DSO names it from a slot on, and the named retailer agrees to it until some slot. Then the DSO may
assign it to a meter whose holder has agreed to a supply of that meter before: nobody gets a supplier
without having signed once that the meter is its own.
"""

from __future__ import annotations

import msgspec

from chaincode.area.opening import require_unopened
from chaincode.area.zones import get_area, get_lane, own_area, require_slot_start
from chaincode.consortium.organisations import require_role
from chaincode.context import Accepted, Context
from chaincode.errors import (
    HOLDER_NOT_AGREED,
    LAST_RESORT_MISSING,
    NOT_LAST_RESORT,
    NOT_METER_DSO,
)
from chaincode.metering.meters import Supply, get_meter, meter_at, supply_at
from chaincode.metering.supply import begin_supply, starting_at
from chaincode.state import DatedTable, Id, Name, Row, Second, encode


class LastResort(Row, frozen=True):
    """The named supplier of last resort; it takes meters from slots before `until_slot` on.

    `until_slot` is 0 until the retailer has agreed.
    """

    retailer: Name
    until_slot: int = 0


class LastResortArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The retailer that is to be an area's supplier of last resort from a slot on."""

    area: Id
    retailer: Id
    from_slot: Second


class AgreementArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The caller's agreement to be what it was named to be from `from_slot` on.

    Meters may be assigned to it from slots before `until_slot` on.
    """

    area: Id
    from_slot: Second
    until_slot: Second


class AssignmentArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meter that the area's supplier of last resort supplies from a slot on."""

    meter: Id
    from_slot: Second


LAST_RESORTS = DatedTable(55, "suppliers of last resort", LastResort, ("area", "inverted slot"))


def name_supplier_of_last_resort(context: Context, arguments: LastResortArguments) -> Accepted:
    """Name the supplier of last resort of the caller's area from an unopened slot on."""
    area = own_area(context, arguments.area)
    require_role(context, arguments.retailer, "retailer")
    require_unopened(context, area, arguments.from_slot)
    named = LastResort(retailer=arguments.retailer)
    LAST_RESORTS.put_from(context, named, area.area, from_slot=arguments.from_slot)
    needed_slot = get_lane(context, area.area).closed_slot
    LAST_RESORTS.prune(context, area.area, needed_slot=needed_slot)
    context.emit("last_resort_named", encode(arguments))
    return Accepted(arguments.retailer)


def agree_to_last_resort(context: Context, arguments: AgreementArguments) -> Accepted:
    """Agree to be the supplier of last resort that the caller was named to be."""
    area = get_area(context, arguments.area)
    require_slot_start(area, arguments.from_slot)
    require_slot_start(area, arguments.until_slot)
    found = LAST_RESORTS.version_at(context, area.area, slot=arguments.from_slot)
    if found is None or found[0] != arguments.from_slot:
        raise LAST_RESORT_MISSING(area=area.area, slot=arguments.from_slot)
    named = found[1]
    if named.retailer != context.caller.member:
        raise NOT_LAST_RESORT(area=area.area, retailer=named.retailer)
    agreed = LastResort(retailer=named.retailer, until_slot=arguments.until_slot)
    LAST_RESORTS.put_from(context, agreed, area.area, from_slot=arguments.from_slot)
    context.emit("last_resort_agreed", encode(arguments))
    return Accepted(named.retailer)


def assign_supplier_of_last_resort(context: Context, arguments: AssignmentArguments) -> Accepted:
    """Let the area's supplier of last resort supply a meter from an unopened slot on."""
    meter = get_meter(context, arguments.meter, arguments.from_slot)
    if meter.dso != context.caller.member:
        raise NOT_METER_DSO(meter=arguments.meter, dso=meter.dso)
    version = meter_at(context, meter, arguments.meter, arguments.from_slot)
    named = LAST_RESORTS.at(context, meter.area, slot=arguments.from_slot)
    if named is None or arguments.from_slot >= named.until_slot:
        raise LAST_RESORT_MISSING(area=meter.area, slot=arguments.from_slot)
    agreed = supply_at(context, meter, arguments.from_slot)
    if agreed is None:
        raise HOLDER_NOT_AGREED(meter=arguments.meter, did=version.holder)
    supply = Supply(
        holder=version.holder,
        retailer=named.retailer,
        offtaker=named.retailer,
        daily_import_wh=agreed.daily_import_wh,
    )
    if starting_at(context, meter, arguments.from_slot) != supply:
        begin_supply(context, meter, arguments.from_slot, supply)
    return Accepted(arguments.meter)
