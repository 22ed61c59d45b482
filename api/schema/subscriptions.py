"""Every subscription: the value as it is now, then each time it has changed.

The hub tells that something changed; what it is now is read from the read model, so a subscriber
that takes its time sees fewer values and never an old one last. Whoever falls too far behind is
ended (`SLOW_SUBSCRIBER`). A state that only the clock changes (MATCHED to EXECUTING) is told with
the next change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable

import strawberry
from strawberry import ID

from api.access.table import Viewer
from api.access.visible_rows import own_account
from api.read_model.records import PriceRecord, TradeRecord
from api.schema import lists
from api.schema.accounts import Balance, balance_node
from api.schema.context import Info, require_viewer
from api.schema.market import PricePoint, Slot, price_node, slot_node
from api.schema.trading import Trade, trade_node
from api.services import Services

TRADES_MAX = 500  # trades of one trader in a slot that one change may bring
BEGIN_SLOTS = 10  # newest slots among which the newest that cleared is looked for
TOLD_MAX = 500  # records that a subscriber is known to have


class _Told:
    """The records that a subscriber was told last, so that it is told none twice."""

    def __init__(self) -> None:
        self._records: OrderedDict[object, object] = OrderedDict()

    def is_new(self, key: object, record: object) -> bool:
        """Whether this is news; from then on it is none."""
        if self._records.get(key) == record:
            return False
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > TOLD_MAX:
            self._records.popitem(last=False)
        return True


@strawberry.type
class Subscription:
    """Everything that can be watched."""

    @strawberry.subscription(description="What zones clear at; begins with the newest.")
    async def prices(self, info: Info, zone: ID | None = None) -> AsyncGenerator[PricePoint, None]:
        """What zones clear at; begins with the newest slot that cleared."""
        services, told = info.context.services, _Told()
        with services.hub.subscription() as changes:
            for record in await _newest_prices(services, zone):
                if told.is_new((record.slot, record.zone), record):
                    yield price_node(record)
            async for change in changes:
                for slot in _slots(services, change.slots):
                    for record in await lists.slot_prices(services, slot=slot, zone=zone):
                        if told.is_new((slot, record.zone), record):
                            yield price_node(record)

    @strawberry.subscription(description="Slots as their phase changes; begins with the newest.")
    async def slots(self, info: Info) -> AsyncGenerator[Slot, None]:
        """Slots as they change; begins with the newest."""
        services, told = info.context.services, _Told()
        with services.hub.subscription() as changes:
            page = await services.read_model.slots(services.area, first=1)
            for record in page.rows:
                if told.is_new(record.slot, record):
                    yield slot_node(record)
            async for change in changes:
                for slot in _slots(services, change.slots):
                    found = await services.read_model.slot(services.area, slot)
                    if found is not None and told.is_new(slot, found):
                        yield slot_node(found)

    @strawberry.subscription(description="The viewer's trades as they come and change.")
    async def my_trades(self, info: Info) -> AsyncGenerator[Trade, None]:
        """The viewer's trades as they come and change; begins with the newest."""
        services, viewer, told = info.context.services, require_viewer(info), _Told()
        with services.hub.subscription() as changes:
            for record in await _own_trades(services, viewer, slot=None, first=1):
                if told.is_new(record.cursor, record):
                    yield trade_node(record, viewer.did)
            async for change in changes:
                if viewer.did not in change.traders:
                    continue
                for slot in _slots(services, change.slots):
                    for record in await _own_trades(services, viewer, slot=slot, first=TRADES_MAX):
                        if told.is_new(record.cursor, record):
                            yield trade_node(record, viewer.did)

    @strawberry.subscription(description="The viewer's balance, now and whenever it changes.")
    async def my_balance(self, info: Info) -> AsyncGenerator[Balance, None]:
        """The viewer's balance, now and whenever it changes."""
        services, viewer, told = info.context.services, require_viewer(info), _Told()
        owner = own_account(viewer)
        with services.hub.subscription() as changes:
            record = await services.read_model.account(services.area, owner)
            told.is_new(owner, record)
            yield balance_node(record)
            async for change in changes:
                if owner not in change.accounts and owner not in change.traders:
                    continue
                record = await services.read_model.account(services.area, owner)
                if told.is_new(owner, record):
                    yield balance_node(record)


def _slots(services: Services, touched: Iterable[tuple[str, int]]) -> list[int]:
    """The slots of this API's area among those touched, oldest first."""
    return sorted(slot for area, slot in touched if area == services.area)


async def _newest_prices(services: Services, zone: str | None) -> list[PriceRecord]:
    """What the zones cleared at in the newest slot that has cleared."""
    page = await services.read_model.slots(services.area, first=BEGIN_SLOTS)
    for slot in page.rows:
        records = await lists.slot_prices(services, slot=slot.slot, zone=zone)
        if records:
            return records
    return []


async def _own_trades(
    services: Services, viewer: Viewer, *, slot: int | None, first: int
) -> list[TradeRecord]:
    listing = await lists.own_trades(services, viewer, slot=slot)
    return (await listing.read(first, None)).rows
