"""The market in the schema: zones, slots and prices, which everybody may see."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from enum import Enum

import strawberry
from strawberry import ID

from api.access.table import ANYBODY, Viewer
from api.features.market.reads import PriceRecord, SeedRecord, SlotRecord
from api.graphql.context import Info
from api.graphql.fields import asked, column, node_of, object_type, shown, watched
from api.graphql.loaders import grouped, load_together
from api.graphql.pages import (
    Connection,
    From,
    FromOrNone,
    Listing,
    To,
    ToOrNone,
    check_span,
    connect,
    slot_length_s,
)
from api.graphql.scalars import Energy, Price, Time
from api.live.subscriptions import Told, slots_of
from api.services import Services
from chaincode.area.rules import MarketRules
from chaincode.state import Dated

OPEN_SLOTS_MAX = 200  # open slots in one answer; two days of quarter hours
BEGIN_SLOTS = 10  # newest slots that are searched for one that has cleared


@strawberry.enum(description="How far a slot is.")
class SlotPhase(Enum):
    """The phase of a slot; a settled slot is CORRECTING while newer readings are settled."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CLEARING = "CLEARING"
    CLEARED = "CLEARED"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"
    CORRECTING = "CORRECTING"


@object_type("A slot that takes orders now.")
class SlotTerms:
    """A slot that takes orders now, with the end of its gate and the band of limits.

    `shortfallPenalty` is what a seller pays its buyer on Wh that it sold and did not deliver; 0: none.
    """

    start: Time = shown(ANYBODY)
    gate: Time = shown(ANYBODY)
    price_min: Price = shown(ANYBODY)
    price_max: Price = shown(ANYBODY)
    shortfall_penalty: Price = shown(ANYBODY)


@object_type("The market that this API serves, and how it is now.")
class Market:
    """The market that this API serves, and how it is now.

    `demonstration` is what the ledger says of the area; `enrols` says whether this API admits
    newcomers at once.
    """

    area: strawberry.ID = shown(ANYBODY)
    channel: str = shown(ANYBODY)
    contract: str = shown(ANYBODY)
    currency: str = shown(ANYBODY)
    time_zone: str = shown(ANYBODY)
    slot_s: int = shown(ANYBODY)
    market_time: Time = shown(ANYBODY)
    rate: int = shown(ANYBODY)
    engine: str = shown(ANYBODY)
    writable: bool = shown(ANYBODY)
    sentence: str = shown(ANYBODY)
    block: int = shown(ANYBODY)
    block_time: Time = shown(ANYBODY)
    open_slots: list[SlotTerms] = shown(ANYBODY)
    demonstration: bool = shown(ANYBODY)
    enrols: bool = shown(ANYBODY)
    public_book: bool = shown(ANYBODY)


@object_type("A zone of the area's tree; the root has no parent.")
class Zone:
    """A zone of the area's tree and its last clearing price."""

    id: strawberry.ID = column(ANYBODY, "zone")
    area: strawberry.ID = column(ANYBODY, "area")
    parent: strawberry.ID | None = column(ANYBODY, "parent")
    grid_level: int = column(ANYBODY, "grid_level")
    paused: bool = column(ANYBODY, "paused")
    last_price: Price | None = column(ANYBODY, "last_price")
    last_slot: Time | None = column(ANYBODY, "last_slot")


@object_type("The clearing price of a zone in a slot; no price where nothing traded.")
class PricePoint:
    """The clearing price of a zone in a slot."""

    slot: Time = column(ANYBODY, "slot")
    zone: strawberry.ID = column(ANYBODY, "zone")
    price: Price | None = column(ANYBODY, "price")
    volume: Energy = column(ANYBODY, "volume_wh")
    orders: int = column(ANYBODY, "orders")
    trades: int = column(ANYBODY, "trades")


@strawberry.enum(description="What a member has done for the draw of a slot.")
class SeedState(Enum):
    """What a member has done for the draw of a slot; a withheld seed counts as zeros."""

    AWAITED = "AWAITED"
    REVEALED = "REVEALED"
    WITHHELD = "WITHHELD"


@object_type("A member that takes part in the draw of a slot, and the seed that it revealed.")
class Seed:
    """A member that takes part in the draw of a slot, and the seed that it revealed."""

    member: str = shown(ANYBODY)
    state: SeedState = shown(ANYBODY)
    seed: str | None = shown(ANYBODY)


def gate_of(gate_s: int | None, slot: int) -> int:
    """Return when the gate of a slot closes; the start of the slot if there are no rules."""
    return slot if gate_s is None else gate_s


@object_type("A slot and what was settled in it.")
class Slot:
    """A slot and what was settled in it."""

    start: Time = column(ANYBODY, "slot")
    phase: SlotPhase = column(ANYBODY, "phase")
    gate: Time = column(ANYBODY, "gate_s", "slot", by=gate_of)
    settled: Energy = column(ANYBODY, "settled_wh")
    residual: Energy = column(ANYBODY, "residual_wh")
    surplus: Energy = column(ANYBODY, "surplus_wh")
    minted: Energy = column(ANYBODY, "minted_wh")
    retired: Energy = column(ANYBODY, "retired_wh")
    estimated_meters: int = column(ANYBODY, "estimated")
    block: int = column(ANYBODY, "block")

    @asked(ANYBODY, description="The clearing prices of the zones.")
    async def zones(self, info: Info) -> list[PricePoint]:
        """Return the clearing prices of the zones."""
        return [node_of(PricePoint, record) for record in await prices_of_slot(info, self.start)]

    @asked(ANYBODY, description="Who takes part in the draw of ties, and who has revealed a seed.")
    async def seeds(self, info: Info) -> list[Seed]:
        """Return who takes part in the draw, and who has revealed a seed."""
        awaited = SeedState.AWAITED if self.phase == SlotPhase.CLOSED else SeedState.WITHHELD
        return [
            Seed(
                member=record.member,
                state=awaited if record.seed is None else SeedState.REVEALED,
                seed=record.seed,
            )
            for record in await seeds_of_slot(info, self.start)
        ]


async def zone_prices(
    services: Services, viewer: Viewer | None, *, zone: str, from_s: int, to_s: int
) -> list[PriceRecord]:
    """Return the clearing prices of a zone in slots that start in [`from_s`, `to_s`)."""
    del viewer  # prices are public
    await check_span(services, from_s, to_s)
    return await services.read_model.prices(services.area, from_s, to_s, zone=zone)


@strawberry.type
class MarketQuery:
    """Queries about the market, open to everybody."""

    @asked(ANYBODY, description="The market that this API serves, and how it is now.")
    async def market(self, info: Info) -> Market:
        """Return the market that this API serves, and how it is now."""
        return await market_of(info.context.services)

    @asked(ANYBODY, description="The zones of the area, the root first.")
    async def zones(self, info: Info) -> list[Zone]:
        """Return the zones of the area, the root first."""
        services = info.context.services
        return [node_of(Zone, record) for record in await services.read_model.zones(services.area)]

    @asked(ANYBODY, description="Slots that have orders or whose gate has closed, newest first.")
    async def slots(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        from_s: FromOrNone = None,
        to_s: ToOrNone = None,
    ) -> Connection[Slot]:
        """Slots that have orders or whose gate has closed, newest first."""
        listing = slots_between(info.context.services, from_s=from_s, to_s=to_s)
        return await connect(
            listing, lambda record: node_of(Slot, record), first=first, after=after
        )

    @asked(ANYBODY, description="A slot; null for one without orders whose gate is open.")
    async def slot(self, info: Info, start: Time) -> Slot | None:
        """Return a slot; None for one without orders whose gate is open."""
        services = info.context.services
        record = await services.read_model.slot(services.area, start)
        return None if record is None else node_of(Slot, record)

    @asked(
        ANYBODY,
        description="The clearing prices of a zone, slot by slot; 2,000 slots at most.",
        listing=zone_prices,
    )
    async def prices(self, info: Info, zone: ID, from_s: From, to_s: To) -> list[PricePoint]:
        """Return the clearing prices of a zone in the slots that start in [`from_s`, `to_s`)."""
        records = await zone_prices(
            info.context.services, info.context.viewer, zone=zone, from_s=from_s, to_s=to_s
        )
        return [node_of(PricePoint, record) for record in records]


@strawberry.type
class MarketSubscription:
    """Subscriptions to the market, open to everybody."""

    @watched(ANYBODY, description="Clearing prices of zones; begins with the newest.")
    async def prices(self, info: Info, zone: ID | None = None) -> AsyncGenerator[PricePoint, None]:
        """Yield clearing prices of zones, beginning with the newest slot that has cleared."""
        services, told = info.context.services, Told()
        with services.subscriptions.open() as changes:
            for record in await newest_prices(services, zone):
                if told.is_new((record.slot, record.zone), record):
                    yield node_of(PricePoint, record)
            async for change in changes:
                for slot in slots_of(services.area, change):
                    for record in await slot_prices(services, slot=slot, zone=zone):
                        if told.is_new((slot, record.zone), record):
                            yield node_of(PricePoint, record)

    @watched(ANYBODY, description="Slots as their phase changes; begins with the newest.")
    async def slots(self, info: Info) -> AsyncGenerator[Slot, None]:
        """Yield slots as they change, beginning with the newest."""
        services, told = info.context.services, Told()
        with services.subscriptions.open() as changes:
            page = await services.read_model.slots(services.area, first=1)
            for record in page.rows:
                if told.is_new(record.slot, record):
                    yield node_of(Slot, record)
            async for change in changes:
                for slot in slots_of(services.area, change):
                    found = await services.read_model.slot(services.area, slot)
                    if found is not None and told.is_new(slot, found):
                        yield node_of(Slot, found)


def slots_between(
    services: Services, *, from_s: int | None, to_s: int | None
) -> Listing[SlotRecord]:
    """Slots that start in [`from_s`, `to_s`), newest first."""
    return Listing(
        lambda first, after: services.read_model.slots(
            services.area, first=first, after=after, from_s=from_s, to_s=to_s
        ),
        lambda: services.read_model.count_slots(services.area, from_s=from_s, to_s=to_s),
    )


async def slot_prices(services: Services, *, slot: int, zone: str | None) -> list[PriceRecord]:
    """Return the clearing prices of a zone (None: of every zone) in one slot."""
    return await services.read_model.prices(services.area, slot, slot + 1, zone=zone)


async def newest_prices(services: Services, zone: str | None) -> list[PriceRecord]:
    """Return the clearing prices of the newest slot that has cleared."""
    page = await services.read_model.slots(services.area, first=BEGIN_SLOTS)
    for slot in page.rows:
        records = await slot_prices(services, slot=slot.slot, zone=zone)
        if records:
            return records
    return []


async def prices_of_slot(info: Info, slot: int) -> list[PriceRecord]:
    """Return the clearing prices of the zones in a slot."""
    services = info.context.services

    async def load(slots: list[int]) -> list[list[PriceRecord]]:
        found = await services.read_model.prices(services.area, min(slots), max(slots) + 1)
        by_slot = grouped(found, lambda record: record.slot)
        return [by_slot[slot] for slot in slots]

    return await load_together(info, "prices_of_slot", load, slot)


async def seeds_of_slot(info: Info, slot: int) -> list[SeedRecord]:
    """Return the seed members of a slot."""
    services = info.context.services

    async def load(slots: list[int]) -> list[list[SeedRecord]]:
        found = await services.read_model.seeds(services.area, min(slots), max(slots) + 1)
        by_slot = grouped(found, lambda record: record.slot)
        return [by_slot[slot] for slot in slots]

    return await load_together(info, "seeds_of_slot", load, slot)


async def market_of(services: Services) -> Market:
    """Return the market as it is now."""
    health = await services.freshness.health()
    checkpoint = await services.freshness.checkpoint()
    area = await services.freshness.area()
    now_s = await services.freshness.market_s()
    slot_s = await slot_length_s(services)
    rules = await services.read_model.market_rules(services.area, now_s - now_s % slot_s)
    return Market(
        area=ID(services.area),
        channel=services.ledger.channel,
        contract=services.ledger.contract,
        currency=services.currency,
        time_zone=rules[0].value.time_zone if rules else "UTC",
        slot_s=slot_s,
        market_time=Time(now_s),
        rate=1 if area is None or not area.rate else area.rate,
        engine=health.engine,
        writable=health.writable,
        sentence=health.sentence,
        block=checkpoint.block,
        block_time=Time(checkpoint.time_s),
        open_slots=open_slots(rules, now_s=now_s, slot_s=slot_s),
        demonstration=area is not None and area.demonstration,
        enrols=services.is_demonstration,
        public_book=services.shows_book,
    )


def open_slots(
    versions: Sequence[Dated[MarketRules]], *, now_s: int, slot_s: int
) -> list[SlotTerms]:
    """Return the slots that are open and whose gate has not closed, soonest first.

    `versions` are the present rules and later ones; each slot follows the rules that hold for it.
    The first rules of a market may hold only from a later slot on.
    """
    found: list[SlotTerms] = []
    for number, (from_slot, rules) in enumerate((each.from_slot, each.value) for each in versions):
        first = now_s + rules.gate_lead_s
        first += slot_s - first % slot_s  # a gate that closes now counts as closed
        last = now_s + rules.opens_s
        if number + 1 < len(versions):
            last = min(last, versions[number + 1].from_slot - 1)
        low, high = rules.price_band
        found.extend(
            SlotTerms(
                start=Time(slot),
                gate=Time(rules.gate_s(slot)),
                price_min=Price(low),
                price_max=Price(high),
                shortfall_penalty=Price(rules.shortfall_penalty),
            )
            for slot in range(max(first, from_slot), last + 1, slot_s)[:OPEN_SLOTS_MAX]
        )
    return found[:OPEN_SLOTS_MAX]
