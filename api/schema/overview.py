"""The answers that are put together from several places: the market, the viewer, the oracle's nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from strawberry import ID

from api.access import Viewer
from api.faults import NOT_FOUND
from api.read_model.records import HealthRecord, MeterRecord, Page
from api.schema import lists, people
from api.schema.enums import Role
from api.schema.market import Book, BookStep, Market, SlotTerms
from api.schema.metering import OfferProposal, OracleNode, is_well, meter_node
from api.schema.pages import PAGE_MAX
from api.schema.scalars import Energy, Price, Time
from api.services import Services
from chaincode.market_rules import MarketRules

OPEN_SLOTS_MAX = 200  # slots that are named as open; two days of quarter hours
NODE_ITSELF = ""  # no meter has this name
METERS_MAX = 20_000  # meters that an oracle's health is put together from


async def market_of(services: Services) -> Market:
    """The market as it is now."""
    health = await services.freshness.health()
    checkpoint = await services.freshness.checkpoint()
    area = await services.freshness.area()
    now_s = await services.freshness.market_s()
    slot_s = lists.SLOT_S_DEFAULT if area is None else area.slot_s
    rules = await services.read_model.market_rules(services.area, now_s - now_s % slot_s)
    return Market(
        area=ID(services.area),
        channel=services.ledger.channel,
        contract=services.ledger.contract,
        currency=services.currency,
        time_zone="UTC" if rules is None else rules.time_zone,
        slot_s=slot_s,
        market_time=Time(now_s),
        rate=1 if area is None else area.rate,
        engine=health.engine,
        writable=health.writable,
        sentence=health.sentence,
        block=checkpoint.block,
        block_time=Time(checkpoint.time_s),
        open_slots=[] if rules is None else open_slots(rules, now_s=now_s, slot_s=slot_s),
        demonstration=services.is_demonstration,
    )


def open_slots(rules: MarketRules, *, now_s: int, slot_s: int) -> list[SlotTerms]:
    """The slots whose gate is to close and that have opened, soonest first."""
    first = now_s + rules.gate_lead_s
    first += slot_s - first % slot_s  # a slot whose gate is now is closed
    low, high = rules.price_band
    slots = range(first, now_s + rules.opens_s + 1, slot_s)[:OPEN_SLOTS_MAX]
    return [
        SlotTerms(
            start=Time(slot),
            gate=Time(rules.gate_s(slot)),
            price_min=Price(low),
            price_max=Price(high),
        )
        for slot in slots
    ]


async def book_of(services: Services, *, slot: int, zone: str) -> Book:
    """The depth of a zone for a slot. Raises `NOT_FOUND` for a zone of no such name."""
    if all(known.zone != zone for known in await services.read_model.zones(services.area)):
        raise NOT_FOUND(kind="zone", id=zone)
    now_s = await services.freshness.market_s()
    checkpoint = await services.freshness.checkpoint()
    depth = await services.read_model.depth(services.area, slot, zone, now_s=now_s)
    cleared = await services.read_model.prices(services.area, slot, slot + 1, zone=zone)
    price = cleared[0].price if cleared else None
    return Book(
        slot=Time(slot),
        zone=ID(zone),
        buys=[BookStep(price=Price(p), quantity=Energy(wh)) for p, wh in depth.buys],
        sells=[BookStep(price=Price(p), quantity=Energy(wh)) for p, wh in depth.sells],
        clearing_price=None if price is None else Price(price),
        block=checkpoint.block,
    )


async def viewer_of(services: Services, viewer: Viewer) -> people.Viewer:
    """Who is signed in, with its meters."""
    account = services.accounts.get(viewer.did)
    participant = await services.read_model.participant(viewer.did)
    meters = await services.read_model.meters_of(services.area, [viewer.did])
    return people.Viewer(
        did=ID(viewer.did),
        role=Role(viewer.role),
        member=viewer.member,
        name=None if account is None else account.name,
        retailer=None if participant is None else participant.retailer,
        zone=ID(meters[0].zone) if meters else None,
        locked=participant is not None and participant.locked,
        meters=[meter_node(meter) for meter in meters],
    )


async def proposal_of(
    services: Services, *, slot: int, meters: Sequence[MeterRecord]
) -> OfferProposal:
    """What the largest plant among `meters` may offer. Raises `NOT_FOUND` where there is none."""
    for meter in sorted(meters, key=lambda record: -record.export_w):
        proposal = await services.read_model.proposal(meter.meter, slot)
        if proposal is None:
            continue
        basis = (
            f"The median of what {proposal.meter} gave at that time on {proposal.days} earlier days."
            if proposal.days
            else f"No earlier day of {proposal.meter} has been measured yet."
        )
        return OfferProposal(
            slot=Time(slot),
            quantity=Energy(proposal.quantity_wh),
            certified=Energy(proposal.certified_wh),
            basis=basis,
        )
    raise NOT_FOUND(kind="meter of yours for slot", id=slot)


async def oracle_nodes_of(services: Services, viewer: Viewer) -> list[OracleNode]:
    """Each node of the oracle by its own word, and by what it says of meters the viewer may see.

    A node's own word stands in the read model under the meter `NODE_ITSELF`.
    """
    meters = await _meter_names(services, viewer)
    by_node: dict[str, list[HealthRecord]] = defaultdict(list)
    own: dict[str, HealthRecord] = {}
    slots: list[int] = []
    for record in await services.read_model.health_of([NODE_ITSELF]):
        own[record.node] = record
    for start in range(0, len(meters), PAGE_MAX):
        chunk = meters[start : start + PAGE_MAX]
        for record in await services.read_model.health_of(chunk):
            by_node[record.node].append(record)
        newest = await services.read_model.last_readings(chunk)
        slots.extend(reading.slot for reading in newest.values())
    last_slot = Time(max(slots)) if slots else None
    return [
        _node(did, own.get(did), by_node[did], last_slot)
        for did in sorted(own.keys() | by_node.keys())
    ]


async def _meter_names(services: Services, viewer: Viewer) -> list[str]:
    listing = await lists.meters(services, viewer)
    page: Page[MeterRecord] = await listing.read(PAGE_MAX, None)
    meters = [record.meter for record in page.rows]
    while page.more and len(meters) < METERS_MAX:
        page = await listing.read(PAGE_MAX, meters[-1])
        meters.extend(record.meter for record in page.rows)
    return meters


def _node(
    did: str, own: HealthRecord | None, found: Sequence[HealthRecord], last_slot: Time | None
) -> OracleNode:
    faulty = [record for record in found if not is_well(record.state)]
    told = [record for record in (own, *faulty, *found) if record is not None]
    said = told[0]
    sentences = [] if own is None else [own.sentence]
    if found:
        sentences.append(f"{len(found) - len(faulty)} of {len(found)} meters are read well.")
    if faulty:
        sentences.append(f"{faulty[0].meter}: {faulty[0].sentence}")
    return OracleNode(
        did=ID(did),
        state=said.state,
        sentence=" ".join(sentences),
        last_slot=last_slot,
        at=Time(max(record.at_s for record in told)),
    )
