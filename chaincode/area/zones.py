"""Areas and their trees of zones: levels, pauses, and the newest closed gate.

A tree is one row, so that a pause is one write that conflicts with every order in flight.
Capacities are rows of their own (`capacities.py`), because placing an order does not read them.
"""

from __future__ import annotations

from typing import (
    Annotated,
    Literal,
)

import msgspec

from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    ALREADY_REGISTERED,
    AREA_UNKNOWN,
    DATED_BEFORE_GATE,
    NOT_AREA_DSO,
    SLOT_INVALID,
    ZONE_STATE,
    ZONE_UNKNOWN,
    ZONES_TOO_DEEP,
    ZONES_TOO_MANY,
)
from chaincode.state import (
    GridLevel,
    Id,
    Name,
    Reason,
    Row,
    Table,
    encode,
)
from chaincode.units import is_slot_start

ZONES_MAX = 1_000  # zones of one area: its tree is read with every batch of orders
ZONE_DEPTH_MAX = 8  # levels of a tree: a page of trades names every zone on every path
PATH_MAX = 2 * ZONE_DEPTH_MAX - 1  # zones on a path: up to the root and down again
SLOT_S_ALLOWED = (300, 900, 1800, 3600)  # lengths that divide the hour and are used by markets


class TreeZone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A zone in its area's tree; the root has no parent."""

    id: Name
    parent: Name | None
    grid_level: GridLevel
    paused: bool


class Area(Row, frozen=True):
    """An area: its DSO, its slot length and the tree of its zones, the root first.

    `demonstration` never changes: only a demonstration has a clock of its own, and everything that
    shows the area says that it is one.
    """

    area: Name
    dso: Name
    slot_s: int
    zones: Annotated[list[TreeZone], msgspec.Meta(max_length=ZONES_MAX)]
    demonstration: bool


class ZoneArea(Row, frozen=True):
    """The area that a zone belongs to; zone names are unique in the channel."""

    area: Name


class Lane(Row, frozen=True):
    """The newest slot of an area whose gate is closed; gates close in the order of slots."""

    closed_slot: int


AREAS = Table(10, "areas", Area, ("area",))
ZONES = Table(11, "zones", ZoneArea, ("zone",))
LANES = Table(13, "lanes", Lane, ("area",))


class AreaName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The area asked about."""

    area: Id


class AreaArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new area and its root zone; the caller becomes the area's DSO.

    Market time in a real area is transaction time. A demonstration sets a clock of its own.
    """

    area: Id
    root: Id
    grid_level: GridLevel
    slot_s: Literal[300, 900, 1800, 3600] = 900
    demonstration: bool = False


class ZoneArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new zone below `parent`."""

    area: Id
    zone: Id
    parent: Id
    grid_level: GridLevel


class PauseArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The zone to pause or resume, and why."""

    zone: Id
    reason: Reason


def register_area(context: Context, arguments: AreaArguments) -> Accepted:
    """Open an area with its root zone."""
    if AREAS.get(context, arguments.area) is not None:
        raise ALREADY_REGISTERED(kind="area", name=arguments.area)
    if ZONES.get(context, arguments.root) is not None:
        raise ALREADY_REGISTERED(kind="zone", name=arguments.root)
    root = TreeZone(arguments.root, None, arguments.grid_level, paused=False)
    area = Area(
        area=arguments.area,
        dso=context.caller.member,
        slot_s=arguments.slot_s,
        zones=[root],
        demonstration=arguments.demonstration,
    )
    AREAS.put(context, area, arguments.area)
    ZONES.put(context, ZoneArea(area=arguments.area), arguments.root)
    LANES.put(context, Lane(closed_slot=0), arguments.area)
    context.emit("area_registered", encode(arguments))
    return Accepted(arguments.area)


def register_zone(context: Context, arguments: ZoneArguments) -> Accepted:
    """Add a zone below another zone of the caller's area."""
    area = own_area(context, arguments.area)
    if ZONES.get(context, arguments.zone) is not None:
        raise ALREADY_REGISTERED(kind="zone", name=arguments.zone)
    if all(zone.id != arguments.parent for zone in area.zones):
        raise ZONE_UNKNOWN(zone=arguments.parent)
    if len(area.zones) >= ZONES_MAX:
        raise ZONES_TOO_MANY(limit=ZONES_MAX)
    depth = 1 + _depth(area, arguments.parent)
    if depth > ZONE_DEPTH_MAX:
        raise ZONES_TOO_DEEP(zone=arguments.zone, depth=depth, limit=ZONE_DEPTH_MAX)
    zone = TreeZone(arguments.zone, arguments.parent, arguments.grid_level, paused=False)
    AREAS.put(context, msgspec.structs.replace(area, zones=[*area.zones, zone]), area.area)
    ZONES.put(context, ZoneArea(area=area.area), arguments.zone)
    context.emit("zone_registered", encode(arguments))
    return Accepted(arguments.zone)


def _depth(area: Area, zone: str) -> int:
    """The level of a zone in its tree, 1 for the root."""
    parents = {one.id: one.parent for one in area.zones}
    depth, name = 1, parents[zone]
    while name is not None:
        depth, name = depth + 1, parents[name]
    return depth


def pause_zone(context: Context, arguments: PauseArguments) -> Accepted:
    """Stop all trade in a zone and in the zones below it, from now on."""
    return _set_paused(context, arguments, paused=True)


def resume_zone(context: Context, arguments: PauseArguments) -> Accepted:
    """Let a paused zone trade again."""
    return _set_paused(context, arguments, paused=False)


def _set_paused(context: Context, arguments: PauseArguments, *, paused: bool) -> Accepted:
    name = arguments.zone
    area = own_area(context, zone_area(context, name))
    current = next(zone for zone in area.zones if zone.id == name)
    if current.paused == paused:
        raise ZONE_STATE(zone=name, state="paused" if paused else "not paused")
    zones = [
        msgspec.structs.replace(zone, paused=paused) if zone.id == name else zone
        for zone in area.zones
    ]
    AREAS.put(context, msgspec.structs.replace(area, zones=zones), area.area)
    context.emit("zone_paused" if paused else "zone_resumed", encode(arguments))
    return Accepted(name)


def get_area(context: Context, name: str) -> Area:
    """The area; an unknown area is refused."""
    area = AREAS.get(context, name)
    if area is None:
        raise AREA_UNKNOWN(area=name)
    return area


def own_area(context: Context, name: str) -> Area:
    """The area; a caller that is not the area's DSO is refused."""
    area = get_area(context, name)
    if area.dso != context.caller.member:
        raise NOT_AREA_DSO(area=name, dso=area.dso)
    return area


def zone_area(context: Context, zone: str) -> str:
    """The area a zone belongs to."""
    row = ZONES.get(context, zone)
    if row is None:
        raise ZONE_UNKNOWN(zone=zone)
    return row.area


def paused_zones(area: Area) -> frozenset[str]:
    """The zones without trade: the paused zones and all zones below them."""
    parents = {zone.id: zone.parent for zone in area.zones}
    paused = {zone.id for zone in area.zones if zone.paused}

    def stands_below(name: str | None) -> bool:
        while name is not None:
            if name in paused:
                return True
            name = parents[name]
        return False

    return frozenset(name for name in parents if stands_below(name))


def get_lane(context: Context, area: str) -> Lane:
    """The area's lane; an unknown area is refused."""
    lane = LANES.get(context, area)
    if lane is None:
        raise AREA_UNKNOWN(area=area)
    return lane


def require_open(context: Context, area: str, slot: int) -> None:
    """Refuse a second at which no slot of the area starts, and a slot whose gate has closed."""
    require_slot_start(get_area(context, area), slot)
    closed = get_lane(context, area).closed_slot
    if slot <= closed:
        raise DATED_BEFORE_GATE(from_slot=slot, closed_slot=closed)


def require_slot_start(area: Area, slot: int) -> None:
    """Refuse a second at which no slot of the area starts."""
    if not is_slot_start(slot, area.slot_s):
        raise SLOT_INVALID(slot=slot, slot_s=area.slot_s)
