"""Meters in the schema: certified powers, readings with their quality, health, oracle nodes."""

from __future__ import annotations

import time
from collections.abc import Iterable

import strawberry
from strawberry import ID

from api.read_model.records import HealthRecord, MeterRecord, ReadingRecord
from api.schema import loading
from api.schema.context import Info
from api.schema.enums import Quality
from api.schema.scalars import Energy, Power, Time

WELL = "good"  # the oracle's word for a meter, or a node, that is as it should be
STALE = "stale"  # our word for a meter of which no node has said anything for a while
HEARD_MS_MAX = 120_000  # nodes say all they know every 30 s: beyond this they are gone


@strawberry.type(description="A meter's energy in a slot, and its registers at the slot's end.")
class Reading:
    """A meter's energy in a slot; a later version replaces an earlier one."""

    meter: strawberry.ID
    slot: Time
    version: int
    import_: Energy = strawberry.field(name="import")
    export: Energy
    import_register: Energy
    export_register: Energy
    quality: Quality
    resolution: Energy
    block: int


@strawberry.type(
    description="How a meter is, as the oracle nodes find it; stale where none says so any more."
)
class MeterHealth:
    """How a meter is, as the oracle nodes find it; `at` is when it was found so."""

    state: str
    sentence: str
    at: Time


@strawberry.type(description="A certified meter.")
class Meter:
    """A certified meter; powers of 0 close that direction."""

    id: strawberry.ID
    zone: strawberry.ID
    retailer: str
    holder: strawberry.ID
    import_power: Power
    export_power: Power
    source: str
    from_slot: Time

    @strawberry.field(description="The newest reading that is known.")
    async def last_reading(self, info: Info) -> Reading | None:
        """The newest reading that is known."""
        record = await loading.last_reading(info, self.id)
        return None if record is None else reading_node(record)

    @strawberry.field(description="How the meter is, as the oracle's nodes find it.")
    async def health(self, info: Info) -> MeterHealth | None:
        """How the meter is, as the oracle's nodes find it; the worst of what they say."""
        return health_node(await loading.health_of(info, self.id), now_ms=now_ms())


@strawberry.type(description="One of the oracle's nodes; silent where nothing is heard of it.")
class OracleNode:
    """One of the oracle's nodes and the last slot that was read; `at` is of its own last word."""

    did: strawberry.ID
    state: str
    sentence: str
    last_slot: Time | None
    at: Time | None


@strawberry.type(description="What a household could offer in a slot.")
class OfferProposal:
    """Surplus measured at that time of day, held to certified power; `basis` says from what."""

    slot: Time
    quantity: Energy
    certified: Energy
    basis: str


def reading_node(record: ReadingRecord) -> Reading:
    """A reading."""
    return Reading(
        meter=ID(record.meter),
        slot=Time(record.slot),
        version=record.version,
        import_=Energy(record.import_wh),
        export=Energy(record.export_wh),
        import_register=Energy(record.import_to_wh),
        export_register=Energy(record.export_to_wh),
        quality=Quality(record.quality.upper()),
        resolution=Energy(record.resolution_wh),
        block=record.block,
    )


def health_node(found: Iterable[HealthRecord], *, now_ms: int) -> MeterHealth | None:
    """How a meter is by what its nodes find: the worst of them, the newest of equals.

    What a node has not repeated for `HEARD_MS_MAX` does not count.
    """
    records = sorted(found, key=lambda record: (not is_well(record.state), record.at_s))
    if not records:
        return None
    heard = [record for record in records if is_heard(record, now_ms=now_ms)]
    if not heard:
        last = max(records, key=lambda record: record.said_ms)
        sentence = f"No oracle node speaks of it any more. The last said: {last.sentence}"
        return MeterHealth(state=STALE, sentence=sentence, at=Time(last.at_s))
    worst = heard[-1]
    return MeterHealth(state=worst.state, sentence=worst.sentence, at=Time(worst.at_s))


def meter_node(record: MeterRecord) -> Meter:
    """A meter."""
    return Meter(
        id=ID(record.meter),
        zone=ID(record.zone),
        retailer=record.retailer,
        holder=ID(record.holder),
        import_power=Power(record.import_w),
        export_power=Power(record.export_w),
        source=record.source,
        from_slot=Time(record.from_slot),
    )


def is_heard(record: HealthRecord, *, now_ms: int) -> bool:
    """Whether a node has said this lately, by the time of day in milliseconds UTC."""
    return now_ms - record.said_ms <= HEARD_MS_MAX


def now_ms() -> int:
    """The time of day, milliseconds UTC."""
    return time.time_ns() // 1_000_000


def is_well(state: str) -> bool:
    """Whether a meter in `state` is read as it should be."""
    return state == WELL
