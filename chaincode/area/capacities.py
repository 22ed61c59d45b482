"""The capacities that a DSO leaves to the market on the edges of its zones, dated.

A lower capacity is a safety act: it may begin at any slot whose gate has not closed. A slot's
capacity is lower if neither direction is more than what held for that slot before. A version
holds until the next version begins, and all slots up to there had the capacity that held for its
first slot; so comparing with that one version is enough, and no sequence of lower capacities
raises the capacity of any slot. A capacity is raised only for slots that have not opened.
Versions for slots whose gate has closed never change, so they are frozen with the gate.
"""

from __future__ import annotations

import msgspec

from chaincode.area.history import needed_slot
from chaincode.area.opening import require_unopened
from chaincode.area.zones import own_area, require_open, zone_area
from chaincode.context import Accepted, Context
from chaincode.errors import CAPACITY_ON_ROOT
from chaincode.state import Count, DatedTable, Id, Reason, Row, Second, encode


class EdgeCapacity(Row, frozen=True):
    """The capacity in W that the DSO leaves to the market on a zone's edge; None is unlimited."""

    import_w: int | None
    export_w: int | None

    def is_within(self, other: EdgeCapacity) -> bool:
        """Whether this capacity exceeds `other` in neither direction."""
        return _is_within(self.import_w, other.import_w) and _is_within(
            self.export_w, other.export_w
        )


UNLIMITED = EdgeCapacity(import_w=None, export_w=None)

CAPACITIES = DatedTable(12, "capacities", EdgeCapacity, ("zone", "slot"))


class CapacityArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The capacity of a zone's edge in W from a slot on, and why; null is unlimited."""

    zone: Id
    import_w: Count | None
    export_w: Count | None
    from_slot: Second
    reason: Reason


def set_zone_capacity(context: Context, arguments: CapacityArguments) -> Accepted:
    """Set a zone's capacity: a lower one from an open gate on, any from an unopened slot on."""
    area = own_area(context, zone_area(context, arguments.zone))
    if area.zones[0].id == arguments.zone:
        raise CAPACITY_ON_ROOT(zone=arguments.zone)
    require_open(context, area.area, arguments.from_slot)
    capacity = EdgeCapacity(import_w=arguments.import_w, export_w=arguments.export_w)
    if not capacity.is_within(capacity_at(context, arguments.zone, arguments.from_slot)):
        require_unopened(context, area, arguments.from_slot)
    CAPACITIES.put_from(context, capacity, arguments.zone, from_slot=arguments.from_slot)
    CAPACITIES.prune(context, arguments.zone, needed_slot=needed_slot(context, area.area))
    context.emit("zone_capacity_set", encode(arguments))
    return Accepted(arguments.zone)


def capacity_at(context: Context, zone: str, slot: int) -> EdgeCapacity:
    """The capacity of a zone's edge in `slot`."""
    return CAPACITIES.at(context, zone, slot=slot) or UNLIMITED


def _is_within(power_w: int | None, limit_w: int | None) -> bool:
    return limit_w is None or (power_w is not None and power_w <= limit_w)
