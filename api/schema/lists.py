"""The lists that come in pages or spans: what each asks of the read model, rows checked.

Resolvers and the compiled plan (`api.graphql.fast_path.list_plan`) both read through these, so that a list is the same
list however it is asked for.
"""

from __future__ import annotations

from api.access.table import Viewer, scope
from api.access.visible_rows import visible_owner
from api.faults import FORBIDDEN
from api.read_model.records import (
    CertificateRecord,
    ClientRecord,
    MeterRecord,
    OrderRecord,
    PostingRecord,
    PriceRecord,
    SlotRecord,
    TradeRecord,
)
from api.schema.pages import Listing, check_range
from api.services import Services

SPAN_SLOTS_MAX = 2_000  # slots of one question for prices or readings: three weeks of quarter hours
SLOT_S_DEFAULT = 900  # before the read model knows the area


def slots(services: Services, *, from_s: int | None, to_s: int | None) -> Listing[SlotRecord]:
    """Slots that start in [`from_s`, `to_s`), newest first."""
    return Listing(
        lambda first, after: services.read_model.slots(
            services.area, first=first, after=after, from_s=from_s, to_s=to_s
        ),
        lambda: services.read_model.count_slots(services.area, from_s=from_s, to_s=to_s),
    )


async def orders(
    services: Services, viewer: Viewer, *, slot: int | None, open_only: bool
) -> Listing[OrderRecord]:
    """The viewer's own orders, newest slot first."""
    now_s = await services.freshness.market_s()
    return Listing(
        lambda first, after: services.read_model.orders_of(
            services.area,
            viewer.did,
            now_s=now_s,
            first=first,
            after=after,
            slot=slot,
            open_only=open_only,
        ),
        lambda: services.read_model.count_orders(
            services.area, viewer.did, slot=slot, open_only=open_only
        ),
        lambda fields, first, after: services.read_model.order_columns(
            services.area,
            viewer.did,
            fields,
            now_s=now_s,
            first=first,
            after=after,
            slot=slot,
            open_only=open_only,
        ),
    )


async def own_trades(
    services: Services, viewer: Viewer, *, slot: int | None
) -> Listing[TradeRecord]:
    """The trades that the viewer is a side of, newest slot first."""
    now_s = await services.freshness.market_s()
    return Listing(
        lambda first, after: services.read_model.trades_of(
            services.area, viewer.did, now_s=now_s, first=first, after=after, slot=slot
        ),
        lambda: services.read_model.count_trades(services.area, viewer.did, slot=slot),
        lambda fields, first, after: services.read_model.trade_columns(
            services.area, viewer.did, fields, now_s=now_s, first=first, after=after, slot=slot
        ),
    )


async def slot_trades(services: Services, viewer: Viewer, *, slot: int) -> Listing[TradeRecord]:
    """All trades of a slot in match sequence, for who may see all of them."""
    if scope(viewer, "trades") not in ("area", "all"):
        raise FORBIDDEN(what="Query.trades", role=viewer.role)
    now_s = await services.freshness.market_s()
    return Listing(
        lambda first, after: services.read_model.trades_of_slot(
            services.area, slot, now_s=now_s, first=first, after=after
        ),
        lambda: services.read_model.count_trades_of_slot(services.area, slot),
        lambda fields, first, after: services.read_model.slot_trade_columns(
            services.area, slot, fields, now_s=now_s, first=first, after=after
        ),
    )


async def postings(
    services: Services, viewer: Viewer, *, owner: str | None, slot: int | None
) -> Listing[PostingRecord]:
    """The postings of an account, newest first."""
    account = await visible_owner(services, viewer, "accounts", owner)
    return Listing(
        lambda first, after: services.read_model.postings_of(
            services.area, account, first=first, after=after, slot=slot
        ),
        lambda: services.read_model.count_postings(services.area, account, slot=slot),
    )


async def certificates(
    services: Services, viewer: Viewer, *, owner: str | None
) -> Listing[CertificateRecord]:
    """The certificates of an owner's plants, newest first."""
    account = await visible_owner(services, viewer, "certificates", owner)
    return Listing(
        lambda first, after: services.read_model.certificates_of(
            services.area, account, first=first, after=after
        ),
        lambda: services.read_model.count_certificates(services.area, account),
    )


async def meters(services: Services, viewer: Viewer) -> Listing[MeterRecord]:
    """Meters by name: the viewer's own, its clients', or the area's; each in its newest version."""
    reach = scope(viewer, "meters")
    holder = viewer.did if reach == "own" else None
    retailer = (viewer.member or "") if reach == "clients" else None
    return Listing(
        lambda first, after: services.read_model.meters(
            services.area, first=first, after=after, holder=holder, retailer=retailer
        ),
        lambda: services.read_model.count_meters(services.area, holder=holder, retailer=retailer),
    )


def clients(services: Services, retailer: str) -> Listing[ClientRecord]:
    """A retailer's clients by DID."""
    return Listing(
        lambda first, after: services.read_model.clients(
            services.area, retailer, first=first, after=after
        ),
        lambda: services.read_model.count_clients(retailer),
    )


async def prices(
    services: Services, *, zone: str | None, from_s: int, to_s: int
) -> list[PriceRecord]:
    """What a zone (None: every zone) cleared at in slots that start in [`from_s`, `to_s`)."""
    await check_span(services, from_s, to_s)
    return await services.read_model.prices(services.area, from_s, to_s, zone=zone)


async def slot_prices(services: Services, *, slot: int, zone: str | None) -> list[PriceRecord]:
    """What a zone (None: every zone) cleared at in one slot."""
    return await services.read_model.prices(services.area, slot, slot + 1, zone=zone)


async def check_span(services: Services, from_s: int, to_s: int) -> None:
    """Refuse a span with more than `SPAN_SLOTS_MAX` slots."""
    area = await services.freshness.area()
    slot_s = SLOT_S_DEFAULT if area is None else area.slot_s
    check_range(from_s, to_s, slots_max=SPAN_SLOTS_MAX, slot_s=slot_s)
