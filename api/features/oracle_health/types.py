"""The oracle's nodes in the schema, and the health of meters as the nodes report it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

import strawberry
from strawberry import ID

from api.access.table import SIGNED_IN, Reader, Viewer, scope
from api.features.oracle_health.reads import HealthRecord
from api.graphql.context import Info, require_viewer
from api.graphql.fields import asked, object_type, shown
from api.graphql.loaders import grouped, load_together
from api.graphql.pages import PAGE_MAX
from api.graphql.scalars import Time
from api.services import Services

SEE_NODES: frozenset[Reader] = frozenset({"OPERATOR", "DSO", "REGULATOR"})
WELL = "good"  # the state of a meter, or a node, that works as it should
SILENT = "silent"  # the state of a node that does not answer
STALE = "stale"  # our own state for a meter on which no node has reported for a while
HEARD_MS_MAX = 120_000  # nodes report every 30 s; an older finding does not count
METERS_MAX = 20_000  # meters that are considered for the health of the nodes


@object_type(
    "A meter's health, as the oracle nodes report it; stale when no node reports any more."
)
class MeterHealth:
    """A meter's health, as the oracle nodes report it; `at` is the time of the finding."""

    state: str = shown(SIGNED_IN)
    sentence: str = shown(SIGNED_IN)
    at: Time = shown(SIGNED_IN)


@object_type("One of the oracle's nodes; silent when it has not reported.")
class OracleNode:
    """One oracle node and the last slot that was read; `at` is the time of its own last report."""

    did: strawberry.ID = shown(SEE_NODES)
    state: str = shown(SEE_NODES)
    sentence: str = shown(SEE_NODES)
    last_slot: Time | None = shown(SEE_NODES)
    at: Time | None = shown(SEE_NODES)


REVOKED_SENTENCE = "The node is revoked: from that time on its signature counts for no slot."


@strawberry.type
class HealthQuery:
    """Queries about the oracle."""

    @asked(SEE_NODES, description="The oracle's nodes and what they report of the meters.")
    async def oracle_nodes(self, info: Info) -> list[OracleNode]:
        """Return the oracle's nodes and what they report about the meters."""
        return await oracle_nodes_of(info.context.services, require_viewer(info))


def now_ms() -> int:
    """Return the present time, milliseconds UTC."""
    return time.time_ns() // 1_000_000


def is_heard(record: HealthRecord, *, now_ms: int) -> bool:
    """Return whether a node has reported a finding lately; `now_ms` is in milliseconds UTC."""
    return now_ms - record.said_ms <= HEARD_MS_MAX


def is_well(state: str) -> bool:
    """Return whether a meter in `state` is read as it should be."""
    return state == WELL


async def health_of(info: Info, meter: str) -> list[HealthRecord]:
    """Return what each node reports about a meter."""

    async def load(meters: list[str]) -> list[list[HealthRecord]]:
        found = await info.context.services.read_model.health_of(meters)
        by_meter = grouped(found, lambda record: record.meter)
        return [by_meter[meter] for meter in meters]

    return await load_together(info, "health_of", load, meter)


def health_node(found: Iterable[HealthRecord], *, now_ms: int) -> MeterHealth | None:
    """Return a meter's health: the worst finding of its nodes, the newest if several are equal.

    A finding that its node has not repeated for `HEARD_MS_MAX` does not count.
    """
    records = sorted(found, key=lambda record: (not is_well(record.state), record.at_s))
    if not records:
        return None
    heard = [record for record in records if is_heard(record, now_ms=now_ms)]
    if not heard:
        last = max(records, key=lambda record: record.said_ms)
        sentence = (
            f"No oracle node reports on this meter any more. The last report: {last.sentence}"
        )
        return MeterHealth(state=STALE, sentence=sentence, at=Time(last.at_s))
    worst = heard[-1]
    return MeterHealth(state=worst.state, sentence=worst.sentence, at=Time(worst.at_s))


async def oracle_nodes_of(services: Services, viewer: Viewer) -> list[OracleNode]:
    """Return each node that the ledger names, judged by its own report, by the other nodes'
    findings about it, and by its findings about meters that the viewer may see.
    """
    oracle = await services.freshness.oracle()
    if oracle is None:
        return []
    meters = await _visible_meters(services, viewer)
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
    revoked = await services.read_model.revoked(services.area)
    nodes: list[OracleNode] = []
    for did in sorted(oracle.nodes):
        own = next((record for record in of_nodes[did] if record.node == did), None)
        others = [record for record in of_nodes[did] if record.node != did]
        against = None if own is None else _against(own, others, faulty_max=oracle.faulty_max)
        state, sentence = _node_state(own, against, of_meters[did], now_ms=at_ms)
        at = None if own is None else Time(own.at_s)
        if did in revoked:
            state, sentence, at = "revoked", REVOKED_SENTENCE, Time(revoked[did])
        nodes.append(
            OracleNode(did=ID(did), state=state, sentence=sentence, last_slot=last_slot, at=at)
        )
    return nodes


async def _visible_meters(services: Services, viewer: Viewer) -> list[str]:
    """Return the names of the meters that the viewer may see, at most `METERS_MAX`."""
    reach = scope(viewer, "meters")
    meters: list[str] = []
    after, more = None, True
    while more and len(meters) < METERS_MAX:
        page = await services.read_model.meters(
            services.area,
            first=PAGE_MAX,
            after=after,
            holder=viewer.did if reach == "own" else None,
            retailer=(viewer.member or "") if reach == "clients" else None,
        )
        meters.extend(record.meter for record in page.rows)
        after, more = (meters[-1] if meters else None), page.more
    return meters


def _against(
    own: HealthRecord, others: Sequence[HealthRecord], *, faulty_max: int
) -> HealthRecord | None:
    """Return the newest finding against a node, if more nodes than may be faulty have one.

    A finding that the node could not be reached counts until the node reports again.
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
    """Return a node's state and a sentence about the node and its meters."""
    if own is None:
        return SILENT, "This node has not reported yet."
    if not is_heard(own, now_ms=now_ms):
        minutes = (now_ms - own.said_ms) // 60_000
        return SILENT, f"This node has not reported for {minutes} minutes."
    if against is not None:
        return against.state, f"Other nodes report: {against.sentence}"
    faulty = [record for record in found if not is_well(record.state)]
    sentences = [own.sentence]
    if found:
        sentences.append(f"{len(found) - len(faulty)} of {len(found)} meters are read well.")
    if faulty:
        sentences.append(f"{faulty[0].meter}: {faulty[0].sentence}")
    return own.state, " ".join(sentences)
