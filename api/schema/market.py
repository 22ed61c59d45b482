"""The market in the schema: zones, slots, prices, and the book's depth without names."""

from __future__ import annotations

import strawberry
from strawberry import ID

from api.read_model.records import PriceRecord, SlotRecord, ZoneRecord
from api.schema import loading
from api.schema.context import Info
from api.schema.enums import SlotPhase
from api.schema.scalars import Energy, Price, Time


@strawberry.type(description="A slot that takes orders now.")
class SlotTerms:
    """A slot that takes orders now: until when, and between which limits."""

    start: Time
    gate: Time
    price_min: Price
    price_max: Price


@strawberry.type(description="The market that this API is of, and how it is now.")
class Market:
    """The market that this API is of, and how it is now."""

    area: strawberry.ID
    channel: str
    contract: str
    currency: str
    time_zone: str
    slot_s: int
    market_time: Time
    rate: int
    engine: str
    writable: bool
    sentence: str
    block: int
    block_time: Time
    open_slots: list[SlotTerms]
    demonstration: bool
    public_book: bool


@strawberry.type(description="A zone of the area's tree; the root has no parent.")
class Zone:
    """A zone of the area's tree and what it cleared at last."""

    id: strawberry.ID
    area: strawberry.ID
    parent: strawberry.ID | None
    grid_level: int
    paused: bool
    last_price: Price | None
    last_slot: Time | None


@strawberry.type(description="What a zone cleared at in a slot; no price where nothing traded.")
class PricePoint:
    """What a zone cleared at in a slot."""

    slot: Time
    zone: strawberry.ID
    price: Price | None
    volume: Energy
    orders: int
    trades: int


@strawberry.type(description="A slot and what came of it.")
class Slot:
    """A slot and what came of it."""

    start: Time
    phase: SlotPhase
    gate: Time
    settled: Energy
    residual: Energy
    surplus: Energy
    minted: Energy
    retired: Energy
    estimated_meters: int
    block: int

    @strawberry.field(description="What the zones cleared at.")
    async def zones(self, info: Info) -> list[PricePoint]:
        """What the zones cleared at."""
        return [price_node(record) for record in await loading.prices_of_slot(info, self.start)]


@strawberry.type(description="A limit price and a quantity.")
class BookStep:
    """A limit price and a quantity."""

    price: Price
    quantity: Energy


@strawberry.type(description="Open orders of a zone for a slot, added up by price, without names.")
class Book:
    """Open orders of a zone for a slot, added up by price, best first."""

    slot: Time
    zone: strawberry.ID
    buys: list[BookStep]
    sells: list[BookStep]
    clearing_price: Price | None
    block: int


def slot_node(record: SlotRecord) -> Slot:
    """A slot."""
    return Slot(
        start=Time(record.slot),
        phase=SlotPhase(record.phase),
        gate=Time(record.slot if record.gate_s is None else record.gate_s),
        settled=Energy(record.settled_wh),
        residual=Energy(record.residual_wh),
        surplus=Energy(record.surplus_wh),
        minted=Energy(record.minted_wh),
        retired=Energy(record.retired_wh),
        estimated_meters=record.estimated,
        block=record.block,
    )


def price_node(record: PriceRecord) -> PricePoint:
    """What a zone cleared at."""
    return PricePoint(
        slot=Time(record.slot),
        zone=ID(record.zone),
        price=None if record.price is None else Price(record.price),
        volume=Energy(record.volume_wh),
        orders=record.orders,
        trades=record.trades,
    )


def zone_node(record: ZoneRecord) -> Zone:
    """A zone."""
    return Zone(
        id=ID(record.zone),
        area=ID(record.area),
        parent=None if record.parent is None else ID(record.parent),
        grid_level=record.grid_level,
        paused=record.paused,
        last_price=None if record.last_price is None else Price(record.last_price),
        last_slot=None if record.last_slot is None else Time(record.last_slot),
    )
