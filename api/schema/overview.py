"""The answers that are put together from several places: the market, the viewer, the oracle's nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from strawberry import ID

from api.access.table import Viewer
from api.faults import NOT_FOUND
from api.read_model.records import HealthRecord, MeterRecord, Page
from api.schema import lists, people
from api.schema.enums import Role
from api.schema.market import Book, BookStep, Market, SlotTerms
from api.schema.metering import OfferProposal, OracleNode, is_heard, is_well, meter_node, now_ms
from api.schema.pages import PAGE_MAX
from api.schema.scalars import Energy, Price, Time
from api.services import Services
from chaincode.area.rules import MarketRules
from chaincode.state import Dated

OPEN_SLOTS_MAX = 200  # slots that are named as open; two days of quarter hours
SILENT = "silent"  # the oracle's word for a node that does not answer
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
        time_zone=rules[0].value.time_zone if rules else "UTC",
        slot_s=slot_s,
        market_time=Time(now_s),
        rate=1 if area is None else area.rate,
        engine=health.engine,
        writable=health.writable,
        sentence=health.sentence,
        block=checkpoint.block,
        block_time=Time(checkpoint.time_s),
        open_slots=open_slots(rules, now_s=now_s, slot_s=slot_s),
        demonstration=services.is_demonstration,
        public_book=services.shows_book,
    )


def open_slots(
    versions: Sequence[Dated[MarketRules]], *, now_s: int, slot_s: int
) -> list[SlotTerms]:
    """The slots whose gate is to close and that have opened, soonest first, each by its own rules.

    `versions` are the rules that hold now and later ones; a market's first may be yet to come.
    """
    found: list[SlotTerms] = []
    for number, (from_slot, rules) in enumerate((each.from_slot, each.value) for each in versions):
        first = now_s + rules.gate_lead_s
        first += slot_s - first % slot_s  # a slot whose gate is now is closed
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
            )
            for slot in range(max(first, from_slot), last + 1, slot_s)[:OPEN_SLOTS_MAX]
        )
    return found[:OPEN_SLOTS_MAX]


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
    """Each node that the ledger names: by its own word, by what the others find of it, and by what
    it says of meters that the viewer may see.
    """
    oracle = await services.freshness.oracle()
    if oracle is None:
        return []
    meters = await _meter_names(services, viewer)
    of_meters: dict[str, list[HealthRecord]] = defaultdict(list)
    of_nodes: dict[str, list[HealthRecord]] = defaultdict(list)
    slots: list[int] = []
    at_ms = now_ms()
    for record in await services.read_model.health_of(oracle.nodes):
        if record.node == record.meter or is_heard(record, now_ms=at_ms):
            of_nodes[record.meter].append(record)
    for start in range(0, len(meters), PAGE_MAX):
        chunk = meters[start : start + PAGE_MAX]
        for record in await services.read_model.health_of(chunk):
            if is_heard(record, now_ms=at_ms):
                of_meters[record.node].append(record)
        newest = await services.read_model.last_readings(chunk)
        slots.extend(reading.slot for reading in newest.values())
    last_slot = Time(max(slots)) if slots else None
    nodes: list[OracleNode] = []
    for did in sorted(oracle.nodes):
        own = next((record for record in of_nodes[did] if record.node == did), None)
        others = [record for record in of_nodes[did] if record.node != did]
        against = None if own is None else _against(own, others, faulty_max=oracle.faulty_max)
        state, sentence = _node_state(own, against, of_meters[did], now_ms=at_ms)
        at = None if own is None else Time(own.at_s)
        nodes.append(
            OracleNode(did=ID(did), state=state, sentence=sentence, last_slot=last_slot, at=at)
        )
    return nodes


async def _meter_names(services: Services, viewer: Viewer) -> list[str]:
    listing = await lists.meters(services, viewer)
    page: Page[MeterRecord] = await listing.read(PAGE_MAX, None)
    meters = [record.meter for record in page.rows]
    while page.more and len(meters) < METERS_MAX:
        page = await listing.read(PAGE_MAX, meters[-1])
        meters.extend(record.meter for record in page.rows)
    return meters


def _against(
    own: HealthRecord, others: Sequence[HealthRecord], *, faulty_max: int
) -> HealthRecord | None:
    """The newest word against a node, where more of the others than may be faulty have one.

    That they did not reach it counts until it speaks again.
    """
    against = [
        record
        for record in others
        if not is_well(record.state) and (record.state != SILENT or record.at_s > own.at_s)
    ]
    if len(against) <= faulty_max:
        return None
    return max(against, key=lambda record: record.at_s)


def _node_state(
    own: HealthRecord | None,
    against: HealthRecord | None,
    found: Sequence[HealthRecord],
    *,
    now_ms: int,
) -> tuple[str, str]:
    """A node's state and what there is to say of it, its meters included."""
    if own is None:
        return SILENT, "Nothing has been heard of it yet."
    if not is_heard(own, now_ms=now_ms):
        minutes = (now_ms - own.said_ms) // 60_000
        return SILENT, f"Nothing has been heard of it for {minutes} minutes."
    if against is not None:
        return against.state, f"Other nodes find: {against.sentence}"
    faulty = [record for record in found if not is_well(record.state)]
    sentences = [own.sentence]
    if found:
        sentences.append(f"{len(found) - len(faulty)} of {len(found)} meters are read well.")
    if faulty:
        sentences.append(f"{faulty[0].meter}: {faulty[0].sentence}")
    return own.state, " ".join(sentences)
