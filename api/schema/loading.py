"""What the nodes of one answer ask for, gathered: one question for all of them, not one for each.

Every function answers in records of the read model. Loaders gather and keep nothing: what they are
asked by a subscription an hour later they read anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from strawberry.dataloader import DataLoader

from api.access.table import Subject, may_see_row
from api.access.visible_rows import posting_owner, visible_postings
from api.faults import NOT_FOUND
from api.read_model.records import (
    HealthRecord,
    MeterRecord,
    PostingRecord,
    PriceRecord,
    ReadingRecord,
    TradeRecord,
)
from api.schema.context import Info, require_viewer

BATCH_MAX = 500  # keys of one question

K = TypeVar("K")
V = TypeVar("V")


async def last_reading(info: Info, meter: str) -> ReadingRecord | None:
    """The newest reading of a meter."""

    async def load(meters: list[str]) -> list[ReadingRecord | None]:
        found = await info.context.services.read_model.last_readings(meters)
        return [found.get(meter) for meter in meters]

    return await _load(info, "last_reading", load, meter)


async def health_of(info: Info, meter: str) -> list[HealthRecord]:
    """What each node says of a meter."""

    async def load(meters: list[str]) -> list[list[HealthRecord]]:
        found = await info.context.services.read_model.health_of(meters)
        by_meter = _grouped(found, lambda record: record.meter)
        return [by_meter[meter] for meter in meters]

    return await _load(info, "health_of", load, meter)


async def meters_of(info: Info, holder: str) -> list[MeterRecord]:
    """The meters of a holder."""
    services = info.context.services

    async def load(holders: list[str]) -> list[list[MeterRecord]]:
        found = await services.read_model.meters_of(services.area, holders)
        by_holder = _grouped(found, lambda record: record.holder)
        return [by_holder[holder] for holder in holders]

    return await _load(info, "meters_of", load, holder)


async def prices_of_slot(info: Info, slot: int) -> list[PriceRecord]:
    """What the zones cleared at in a slot."""
    services = info.context.services

    async def load(slots: list[int]) -> list[list[PriceRecord]]:
        found = await services.read_model.prices(services.area, min(slots), max(slots) + 1)
        by_slot = _grouped(found, lambda record: record.slot)
        return [by_slot[slot] for slot in slots]

    return await _load(info, "prices_of_slot", load, slot)


async def trades_of_order(info: Info, slot: int, name: str) -> list[TradeRecord]:
    """The trades of an order by its full name."""
    services = info.context.services

    async def load(orders: list[str]) -> list[list[TradeRecord]]:
        now_s = await services.freshness.market_s()
        found = await services.read_model.trades_of_orders(services.area, slot, orders, now_s=now_s)
        by_order: dict[str, list[TradeRecord]] = defaultdict(list)
        for record in found:
            for step in (record.buy_order, record.sell_order):
                by_order[step.partition("#")[0]].append(record)
        return [by_order[order] for order in orders]

    return await _load(info, f"trades_of_order {slot}", load, name)


async def postings_of_trade(info: Info, slot: int, number: int) -> list[PostingRecord]:
    """The postings of a trade that the viewer may see."""
    services = info.context.services
    viewer = require_viewer(info)

    async def load(trades: list[int]) -> list[list[PostingRecord]]:
        found = await services.read_model.postings_of_trades(
            services.area, slot, trades, owner=posting_owner(viewer)
        )
        shown = await visible_postings(services, viewer, found)
        by_trade = _grouped(shown, lambda record: record.trade)
        return [by_trade[trade] for trade in trades]

    return await _load(info, f"postings_of_trade {slot}", load, number)


async def visible_meter(info: Info, name: str, subject: Subject) -> MeterRecord:
    """A meter that the viewer may see; `NOT_FOUND` for any other."""
    services, viewer = info.context.services, require_viewer(info)
    record = await services.read_model.meter(name)
    if record is None or not may_see_row(
        viewer,
        subject,
        owners=[record.holder],
        retailers=[record.retailer],
        area=record.area,
    ):
        raise NOT_FOUND(kind="meter", id=name)
    return record


async def _load(
    info: Info, name: str, load: Callable[[list[K]], Awaitable[Sequence[V]]], key: K
) -> V:
    """Ask through the request's loader of that name, which the first one to ask makes."""
    loaders = info.context.loaders
    loader = loaders.get(name)
    if loader is None:
        made = DataLoader[K, V](load_fn=load, max_batch_size=BATCH_MAX, cache=False)
        loader = loaders[name] = cast("DataLoader[object, object]", made)
    return cast("V", await loader.load(key))


def _grouped(records: Sequence[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups
