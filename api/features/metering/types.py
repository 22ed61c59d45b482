"""Meters in the schema: certified powers, readings with their quality, what a plant may offer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import strawberry
from strawberry import ID

from api.access.table import SIGNED_IN, Reader, Subject, Viewer, may_see_row, scope
from api.faults import NOT_FOUND
from api.features.metering.reads import MeterRecord, ProposalRecord, ReadingRecord
from api.features.oracle_health.types import MeterHealth, health_node, health_of, now_ms
from api.graphql.context import Info, require_viewer
from api.graphql.fields import asked, column, named, node_of, object_type
from api.graphql.loaders import grouped, load_together
from api.graphql.pages import Connection, From, Listing, To, check_span, connect
from api.graphql.scalars import Energy, Power, Time
from api.services import Services

OFFERING: frozenset[Reader] = frozenset({"HOUSEHOLD", "RETAILER", "REGULATOR"})


@strawberry.enum(description="Who vouches for a reading.")
class Quality(Enum):
    """Who vouches for a reading: 2f + 1 oracle nodes, or the DSO."""

    MEASURED = "MEASURED"
    VALIDATED = "VALIDATED"


def quality_of(rank: str) -> str:
    """Return the quality of a reading of `rank`."""
    return "VALIDATED" if rank == "dso" else "MEASURED"


@object_type("A meter's registers at the end of a slot, and its energy in the slot.")
class Reading:
    """A meter's registers at the end of a slot; the energies are unknown without the slot's start."""

    meter: strawberry.ID = column(SIGNED_IN, "meter")
    slot: Time = column(SIGNED_IN, "slot")
    boundary: Time = column(SIGNED_IN, "boundary")
    import_: Energy | None = named("import", column(SIGNED_IN, "import_wh"))
    export: Energy | None = column(SIGNED_IN, "export_wh")
    import_register: Energy = column(SIGNED_IN, "import_register_wh")
    export_register: Energy = column(SIGNED_IN, "export_register_wh")
    generation_register: Energy | None = column(SIGNED_IN, "generation_register_wh")
    quality: Quality = column(SIGNED_IN, "rank", by=quality_of)
    resolution: Energy = column(SIGNED_IN, "resolution_wh")
    block: int = column(SIGNED_IN, "block")


@object_type("A certified meter.")
class Meter:
    """A certified meter; a power of 0 closes its direction.

    `retailer` is null if nobody supplies the meter; it then takes no part in the market. A meter
    that is `retired` takes no part either. `first_slot` is the first slot that its holder can trade in.
    """

    id: strawberry.ID = column(SIGNED_IN, "meter")
    zone: strawberry.ID = column(SIGNED_IN, "zone")
    retailer: str | None = column(SIGNED_IN, "retailer")
    offtaker: str | None = column(SIGNED_IN, "offtaker")
    holder: strawberry.ID = column(SIGNED_IN, "holder")
    import_power: Power = column(SIGNED_IN, "import_w")
    export_power: Power = column(SIGNED_IN, "export_w")
    source: str = column(SIGNED_IN, "source")
    from_slot: Time = column(SIGNED_IN, "from_slot")
    retired: bool = column(SIGNED_IN, "retired", by=bool)
    first_slot: Time | None = column(SIGNED_IN, "first_slot")

    @asked(SIGNED_IN, description="The newest known reading.")
    async def last_reading(self, info: Info) -> Reading | None:
        """Return the newest known reading."""
        record = await last_reading(info, self.id)
        return None if record is None else node_of(Reading, record)

    @asked(SIGNED_IN, description="The meter's health, as the oracle nodes report it.")
    async def health(self, info: Info) -> MeterHealth | None:
        """Return the meter's health, as the oracle nodes report it; the worst of their findings."""
        return health_node(await health_of(info, self.id), now_ms=now_ms())


def basis_of(meter: str, days: int) -> str:
    """Return the sentence that says what a proposal is computed from."""
    if days:
        return f"The median of what {meter} fed in at that time on {days} earlier days."
    return f"No earlier day of {meter} has been measured yet."


@object_type("What a household could offer in a slot.")
class OfferProposal:
    """The surplus measured at that time of day, at most the certified power, with its basis."""

    slot: Time = column(OFFERING, "slot")
    quantity: Energy = column(OFFERING, "quantity_wh")
    certified: Energy = column(OFFERING, "certified_wh")
    basis: str = column(OFFERING, "meter", "days", by=basis_of)


@strawberry.type
class MeterQuery:
    """Queries about meters."""

    @asked(SIGNED_IN, description="The meters that the viewer may see, by name.")
    async def meters(
        self, info: Info, first: int | None = 100, after: str | None = None
    ) -> Connection[Meter]:
        """Return the meters that the viewer may see, by name."""
        listing = visible_meters(info.context.services, require_viewer(info))
        return await connect(
            listing, lambda record: node_of(Meter, record), first=first, after=after
        )

    @asked(SIGNED_IN, description="A meter's readings in slots from `from` to before `to`.")
    async def readings(self, info: Info, meter: ID, from_s: From, to_s: To) -> list[Reading]:
        """Return a meter's newest readings in slots that start in [`from_s`, `to_s`)."""
        services = info.context.services
        await check_span(services, from_s, to_s)
        await visible_meter(info, meter, "readings")
        records = await services.read_model.readings_of(meter, from_s, to_s)
        return [node_of(Reading, record) for record in records]

    @asked(OFFERING, description="Surplus measured at that time of day, within certified power.")
    async def offer_proposal(
        self, info: Info, slot: Time, meter: ID | None = None
    ) -> OfferProposal:
        """Return what the named meter of the viewer, else its largest plant, may offer."""
        services = info.context.services
        if meter is not None:
            meters = [await visible_meter(info, meter, "meters")]
        else:
            did = require_viewer(info).did
            meters = await services.read_model.meters_of(services.area, [did])
        return node_of(OfferProposal, await proposal_of(services, slot=slot, meters=meters))


def visible_meters(services: Services, viewer: Viewer) -> Listing[MeterRecord]:
    """Return the meters that the viewer may see, by name, each in its newest version."""
    reach = scope(viewer, "meters")
    holder = viewer.did if reach == "own" else None
    retailer = (viewer.member or "") if reach == "clients" else None
    return Listing(
        lambda first, after: services.read_model.meters(
            services.area, first=first, after=after, holder=holder, retailer=retailer
        ),
        lambda: services.read_model.count_meters(services.area, holder=holder, retailer=retailer),
    )


async def proposal_of(
    services: Services, *, slot: int, meters: Sequence[MeterRecord]
) -> ProposalRecord:
    """Return what the largest plant among `meters` may offer; raise `NOT_FOUND` without a plant."""
    for meter in sorted(meters, key=lambda record: -record.export_w):
        proposal = await services.read_model.proposal(meter.meter, slot)
        if proposal is not None:
            return proposal
    raise NOT_FOUND(kind="meter of yours for slot", id=slot)


async def visible_meter(info: Info, name: str, subject: Subject) -> MeterRecord:
    """Return a meter that the viewer may see; raise `NOT_FOUND` for any other meter."""
    services, viewer = info.context.services, require_viewer(info)
    record = await services.read_model.meter(name)
    if record is None or not may_see_row(
        viewer,
        subject,
        owners=[record.holder],
        retailers=record.retailers,
        area=record.area,
    ):
        raise NOT_FOUND(kind="meter", id=name)
    return record


async def last_reading(info: Info, meter: str) -> ReadingRecord | None:
    """Return the newest reading of a meter."""

    async def load(meters: list[str]) -> list[ReadingRecord | None]:
        found = await info.context.services.read_model.last_readings(meters)
        return [found.get(meter) for meter in meters]

    return await load_together(info, "last_reading", load, meter)


async def meters_of(info: Info, holder: str) -> list[MeterRecord]:
    """Return the meters of a holder."""
    services = info.context.services

    async def load(holders: list[str]) -> list[list[MeterRecord]]:
        found = await services.read_model.meters_of(services.area, holders)
        by_holder = grouped(found, lambda record: record.holder)
        return [by_holder[holder] for holder in holders]

    return await load_together(info, "meters_of", load, holder)
