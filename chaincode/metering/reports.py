"""Reports of registers at a slot boundary, signed by 2f+1 oracle nodes or validated by the DSO.

A report names the root of a Merkle tree over salted leaves, one per meter. The leaves travel as
transient data and are stored in the collection `readings`, once per (meter, boundary) and rank;
the public ledger holds only the root and the signatures (arguments of the transaction). A report
writes no public key, so that the endorsement policy of the collection applies.

Nodes sign measured registers only. A report is taken until the slots at its boundary are final,
whatever their phase: a slot that has begun to settle is not changed by it, and the next correction
settles the difference. `plausible.py` decides whether registers fit those before and after.

The trees follow RFC 9162 (section 2.1): a leaf is hashed after a byte 0x00, a node after 0x01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.finality import final_at_s, require_not_final
from chaincode.area.rules import MarketRules, rules_at
from chaincode.area.zones import Area, get_area, own_area, require_slot_start
from chaincode.context import Context
from chaincode.documents.document import ChannelName, Document, Token
from chaincode.documents.intake import take_cosigned
from chaincode.errors import (
    LEAF_BOUNDARY,
    LEAVES_COUNT,
    LEAVES_MISSING,
    LEAVES_ORDER,
    LEAVES_UNREADABLE,
    METER_AREA_FIXED,
    METER_UNKNOWN,
    REPORT_EARLY,
    REPORT_ROOT,
    SIGNATURES_FEW,
    SIGNER_REPEATED,
    SIGNER_UNKNOWN,
    SLOT_FINAL,
    SUPPLY_MISSING,
)
from chaincode.metering.measured import MeasuredBoundaries
from chaincode.metering.meters import METERS, takes_part
from chaincode.metering.oracles import NODES_MAX, counting_nodes
from chaincode.metering.plausible import Neighbours
from chaincode.metering.powers import Powers, certified_powers
from chaincode.metering.readings import (
    COLLECTION,
    Leaf,
    Rank,
    is_new,
    ranked,
    reading_key,
    readings_at,
)
from chaincode.state import (
    Count,
    Hex32,
    Id,
    Second,
    encode,
)
from identity.jws import TokenRefused, decode_payload

REPORT_TYP = "commonwatt-report+jws"
LEAVES_MAX = 1_000  # meters of a report; up to ten keys are read for each meter
LEAVES_READ_MAX = (
    10_000  # beyond this a report's leaves cannot be read; up to this they are counted
)
TRANSIENT_LEAVES = "leaves"


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report that a node signs: the root over `count` leaves, for one boundary of one area.

    `configuration` is the digest of the oracle set that the node assumes to be part of.
    """

    area: Id
    boundary: Second
    channel: ChannelName
    configuration: Hex32
    contract: ChannelName
    count: Count
    root: Hex32
    v: Literal[1]


class ReportArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same report, signed by at least 2f+1 nodes; one token per node."""

    tokens: Annotated[list[Token], msgspec.Meta(min_length=1, max_length=NODES_MAX)]


class ValidatedArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Registers at a boundary that the DSO has validated: the root over `count` leaves."""

    area: Id
    boundary: Second
    count: Count
    root: Hex32


class ReadingsRecorded(msgspec.Struct, frozen=True):
    """The event of a report: of its readings under `root`, `recorded` are new.

    `slot` is the slot that ends at the boundary. The readings change the energy of slots from
    `first_slot` on and before `end_s`, or up to now if `end_s` is None; those that have settled are
    due a correction.
    """

    area: str
    boundary: int
    slot: int
    root: str
    rank: Rank
    recorded: int
    first_slot: int
    end_s: int | None


class Recorded(msgspec.Struct, frozen=True):
    """The number of readings stored from a report; 0 if the report was known already."""

    recorded: int


REPORTS = Document(REPORT_TYP, Report)

_leaves = msgspec.json.Decoder(Annotated[list[Leaf], msgspec.Meta(max_length=LEAVES_READ_MAX)])


def leaf_bytes(leaf: Leaf) -> bytes:
    """The bytes of a leaf that are hashed: its canonical JSON."""
    return encode(leaf)


def merkle_root(leaves: Sequence[bytes]) -> str:
    """The root over leaves in the order given, in hex; without leaves, the hash of no bytes."""
    level = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    if not level:
        return sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        if len(level) & 1:
            above.append(level[-1])  # promoted unhashed: the split of RFC 9162
        level = above
    return level[0].hex()


def record_readings(context: Context, arguments: ReportArguments) -> Recorded:
    """Check a report's signatures, root and plausibility, and store its registers privately."""
    report, signers = take_cosigned(context, REPORTS, arguments.tokens)
    area = get_area(context, report.area)
    require_slot_start(area, report.boundary)
    _check_signers(context, report, signers)
    leaves = _read_leaves(context, report)
    return _recorded(context, area, leaves, rank="oracle", root=report.root)


def record_validated_readings(context: Context, arguments: ValidatedArguments) -> Recorded:
    """Store registers that the area's DSO has validated; they rank above those of the oracle."""
    area = own_area(context, arguments.area)
    require_slot_start(area, arguments.boundary)
    leaves = _read_leaves(context, arguments)
    return _recorded(context, area, leaves, rank="dso", root=arguments.root)


def _recorded(
    context: Context, area: Area, leaves: Sequence[Leaf], *, rank: Rank, root: str
) -> Recorded:
    stored = store_registers(context, area, leaves, rank=rank, root=root)
    if stored is None:
        return Recorded(0)
    boundary = leaves[0].boundary
    event = ReadingsRecorded(
        area.area,
        boundary,
        boundary - area.slot_s,
        root,
        rank,
        stored.leaves,
        stored.first_slot,
        stored.end_s,
    )
    context.emit("readings_recorded", encode(event))
    return Recorded(stored.leaves)


class Stored(NamedTuple):
    """How many leaves were new, and the slots whose energy they change (`ReadingsRecorded`)."""

    leaves: int
    first_slot: int
    end_s: int | None


def store_registers(
    context: Context, area: Area, leaves: Sequence[Leaf], *, rank: Rank, root: str
) -> Stored | None:
    """Store the leaves of one boundary that are new at their rank; None if no leaf is new.

    A leaf that says the same as the stored one of its rank is passed over. Raises `Refused` if a
    leaf says something else, comes too early or too late, or is not plausible. A leaf is too late
    too if it would move energy that was measured already and a slot of that stretch is final: the
    energies of the stretch would no longer sum to the difference of its registers.
    """
    boundary = leaves[0].boundary
    index = MeasuredBoundaries(context, COLLECTION, slot_s=area.slot_s)
    neighbours = Neighbours(context, index, boundary=boundary, slot_s=area.slot_s)
    names = [leaf.meter for leaf in leaves]
    neighbours.load(names)
    known = [name for name in names if index.is_measured(name, boundary)]
    stored = dict(
        zip(known, readings_at(context, [(boundary, name) for name in known]), strict=True)
    )
    new = [leaf for leaf in leaves if is_new(leaf, stored, rank)]
    if not new:
        return None
    _check_time(context, area, boundary)
    rules = rules_at(context, area.area, boundary)
    firsts_s = {leaf.meter: neighbours.first_s(leaf.meter) for leaf in new}
    powers = _powers(context, area, rules, boundary, firsts_s)
    collection = context.private(COLLECTION)
    slots_changed: set[int] = set()
    for leaf in new:
        neighbours.check(leaf, powers[leaf.meter])
        changed = neighbours.first_changed(leaf.meter, measured=leaf.meter in stored)
        if changed is not None:
            slots_changed.add(changed)
        reading = ranked(leaf, rank=rank, root=root, before=stored.get(leaf.meter))
        collection.put(reading_key(boundary, leaf.meter), encode(reading))
        if leaf.meter not in stored:
            index.add(leaf.meter, boundary)
    for slot in sorted(slots_changed):
        require_not_final(context, area, slot)
    index.write()
    return Stored(len(new), *neighbours.span(leaf.meter for leaf in new))


def _check_time(context: Context, area: Area, boundary: int) -> None:
    """Refuse a boundary that has not come, and one at which every slot is final."""
    now_s = market_time_s(context, area.area)
    if now_s < boundary:
        raise REPORT_EARLY(boundary=boundary, now_s=now_s)
    final_s = final_at_s(context, area, boundary) - area.slot_s
    if now_s >= final_s:
        raise SLOT_FINAL(slot=boundary - area.slot_s, final_s=final_s)


def _powers(
    context: Context, area: Area, rules: MarketRules, boundary: int, firsts_s: Mapping[str, int]
) -> dict[str, Powers]:
    """The powers of meters, each from a second on.

    The meters must take part in the area before or after the boundary.
    """
    found: dict[str, Powers] = {}
    rows = METERS.get_many(context, [(name,) for name in firsts_s])
    for (name, first_s), row in zip(firsts_s.items(), rows, strict=True):
        if row is None:
            raise METER_UNKNOWN(meter=name, slot=boundary)
        if row.area != area.area:
            raise METER_AREA_FIXED(meter=name, area=row.area)
        if not takes_part(context, row, boundary, slot_s=area.slot_s):
            raise SUPPLY_MISSING(meter=name, slot=boundary)
        found[name] = certified_powers(
            context, row, first_s=first_s, tolerance_ppm=rules.plausible_ppm
        )
    return found


def _check_signers(context: Context, report: Report, signers: Sequence[str]) -> None:
    oracle = counting_nodes(
        context,
        area=report.area,
        slot=report.boundary,
        configuration=report.configuration,
        signers=signers,
    )
    for place, signer in enumerate(signers):
        if signer not in oracle.nodes:
            raise SIGNER_UNKNOWN(did=signer)
        if signer in signers[:place]:
            raise SIGNER_REPEATED(did=signer)
    needed = 2 * oracle.faulty_max + 1
    if len(signers) < needed:
        raise SIGNATURES_FEW(count=len(signers), needed=needed)


class _Rooted(Protocol):
    """What names the root over leaves, their number and their boundary."""

    @property
    def boundary(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def root(self) -> str: ...


def _read_leaves(context: Context, report: _Rooted) -> list[Leaf]:
    """The transient leaves in rising order of meters, checked against the report's root."""
    data = context.transient.get(TRANSIENT_LEAVES)
    if data is None:
        raise LEAVES_MISSING(name=TRANSIENT_LEAVES)
    try:
        leaves = decode_payload(data, _leaves)
    except TokenRefused as refused:
        raise LEAVES_UNREADABLE(reason=refused.sentence) from None
    if not 1 <= len(leaves) <= LEAVES_MAX or len(leaves) != report.count:
        raise LEAVES_COUNT(count=len(leaves), named=report.count, limit=LEAVES_MAX)
    for before, leaf in pairwise(leaves):
        if before.meter >= leaf.meter:
            raise LEAVES_ORDER(meter=leaf.meter, before=before.meter)
    for leaf in leaves:
        if leaf.boundary != report.boundary:
            raise LEAF_BOUNDARY(meter=leaf.meter, boundary=leaf.boundary, named=report.boundary)
    root = merkle_root([leaf_bytes(leaf) for leaf in leaves])
    if root != report.root:
        raise REPORT_ROOT(root=root, named=report.root)
    return leaves
