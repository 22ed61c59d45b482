"""Oracle reports: what meters measured in a slot, signed by 2f+1 oracle nodes.

A report names the root of a Merkle tree over salted leaves, one per meter. The leaves travel as
transient data and are stored in the collection `readings`, once per (meter, slot, version);
the public ledger holds only the root and the signatures (arguments of the transaction). A report
writes no public key, so that the endorsement policy of the collection applies.

The contract checks that readings are plausible: registers do not run backwards, the energy fits
the certified power, and the registers of a slot begin where the slot before it ended.

A slot takes one reading per meter until it has settled. After that it still takes the reading of a
meter that was estimated, and a next version of a reading that is substituted or edited. Nothing is
ever overwritten, and `correct_slot` settles the difference.

The trees follow RFC 9162 (section 2.1): a leaf is hashed after a byte 0x00, a node after 0x01.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.rules import MarketRules, rules_at
from chaincode.area.zones import Area, get_area, require_slot_start
from chaincode.context import Context
from chaincode.documents.document import ChannelName, Document, Token
from chaincode.documents.intake import take_cosigned
from chaincode.errors import (
    LEAVES_COUNT,
    LEAVES_MISSING,
    LEAVES_ORDER,
    LEAVES_UNREADABLE,
    METER_AREA_FIXED,
    READING_BACKWARDS,
    READING_GAP,
    READING_IMPLAUSIBLE,
    READING_REPEATED,
    REPORT_EARLY,
    REPORT_LATE,
    REPORT_ROOT,
    SIGNATURES_FEW,
    SIGNER_REPEATED,
    SIGNER_UNKNOWN,
    VERSIONS_TOO_MANY,
)
from chaincode.metering.meters import METERS, Meter, MeterVersion, meter_at, supplied_at
from chaincode.metering.oracles import NODES_MAX, counting_nodes
from chaincode.metering.readings import (
    COLLECTION,
    READING_VERSIONS_MAX,
    Leaf,
    Quality,
    Reading,
    newest_readings,
    reading_key,
    stored_versions,
)
from chaincode.slots.gate import SLOTS
from chaincode.state import (
    Count,
    Hex32,
    Id,
    Second,
    encode,
    slot_part,
)
from chaincode.units import Power, times_exceeded
from identity.jws import TokenRefused, decode_payload

REPORT_TYP = "commonwatt-report+jws"
LEAVES_MAX = 1_000  # meters of a report; up to sixteen keys are read for each meter
LEAVES_READ_MAX = (
    10_000  # beyond this a report's leaves cannot be read; up to this they are counted
)
TRANSIENT_LEAVES = "leaves"
CORRECTIONS: tuple[Quality, ...] = ("substituted", "edited")  # these may replace settled readings


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report that a node signs: the root over `count` leaves, for one slot of one area.

    `configuration` is the digest of the oracle set that the node assumes to be part of.
    """

    area: Id
    channel: ChannelName
    configuration: Hex32
    contract: ChannelName
    count: Count
    root: Hex32
    slot: Second
    v: Literal[1]


class ReportArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same report, signed by at least 2f+1 nodes; one token per node."""

    tokens: Annotated[list[Token], msgspec.Meta(min_length=1, max_length=NODES_MAX)]


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
    """Check a report's signatures, root and plausibility, and store its readings privately."""
    report, signers = take_cosigned(context, REPORTS, arguments.tokens)
    area = get_area(context, report.area)
    require_slot_start(area, report.slot)
    _check_signers(context, report, signers)
    leaves = _read_leaves(context, report)
    names = [leaf.meter for leaf in leaves]
    earlier = stored_versions(context, report.slot, names)
    readings = [encode(Reading(leaf=leaf, rank="oracle", root=report.root)) for leaf in leaves]
    if all(reading in known for reading, known in zip(readings, earlier, strict=True)):
        return Recorded(0)
    now_s = market_time_s(context, report.area)
    slot = SLOTS.get(context, report.area, slot_part(report.slot))
    phase = "OPEN" if slot is None else slot.phase
    for leaf, known in zip(leaves, earlier, strict=True):
        if known and not (phase == "SETTLED" and leaf.quality in CORRECTIONS):
            raise READING_REPEATED(meter=leaf.meter, slot=report.slot)
        if len(known) == READING_VERSIONS_MAX:
            raise VERSIONS_TOO_MANY(limit=READING_VERSIONS_MAX)
    if now_s < report.slot + area.slot_s:
        raise REPORT_EARLY(slot=report.slot, end_s=report.slot + area.slot_s, now_s=now_s)
    if phase in ("SETTLING", "CORRECTING"):
        raise REPORT_LATE(slot=report.slot, phase=phase)
    replacing = [bool(known) for known in earlier]
    _check_plausible(context, area, report, leaves, replacing)
    collection = context.private(COLLECTION)
    for leaf, known, reading in zip(leaves, earlier, readings, strict=True):
        key = reading_key(report.slot, leaf.meter, version=len(known) + 1)
        collection.put(key, reading)
    context.emit("readings_recorded", encode(report))
    return Recorded(len(leaves))


def _check_signers(context: Context, report: Report, signers: Sequence[str]) -> None:
    oracle = counting_nodes(
        context,
        area=report.area,
        slot=report.slot,
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


def _read_leaves(context: Context, report: Report) -> list[Leaf]:
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
    root = merkle_root([leaf_bytes(leaf) for leaf in leaves])
    if root != report.root:
        raise REPORT_ROOT(root=root, named=report.root)
    return leaves


def _check_plausible(
    context: Context,
    area: Area,
    report: Report,
    leaves: Sequence[Leaf],
    replacing: Sequence[bool],
) -> None:
    """Check leaves against certified power and against the slots before and after.

    A leaf that replaces a settled reading may end at another value than the next slot begins with;
    the next slot is then corrected to begin with the new value.
    """
    rules = rules_at(context, area.area, report.slot)
    names = [leaf.meter for leaf in leaves]
    meters = METERS.get_many(context, [(name,) for name in names])
    following = report.slot + area.slot_s
    before = newest_readings(context, report.slot - area.slot_s, names)
    after = newest_readings(context, following, names)  # reports may arrive out of order
    around = zip(leaves, meters, before, after, replacing, strict=True)
    for leaf, meter, earlier, later, replaces in around:
        version = _meter_in_area(context, meter, leaf.meter, report)
        if leaf.import_wh < 0 or leaf.export_wh < 0:
            raise READING_BACKWARDS(meter=leaf.meter, slot=report.slot)
        _check_power(area, rules, leaf, version)
        if earlier is not None and not _follows(leaf, earlier.reading.leaf):
            raise READING_GAP(meter=leaf.meter, slot=report.slot)
        if later is not None and not replaces and not _follows(later.reading.leaf, leaf):
            raise READING_GAP(meter=leaf.meter, slot=following)


def _follows(leaf: Leaf, earlier: Leaf) -> bool:
    """Whether the registers begin at the values with which the slot before ended."""
    return (earlier.import_to_wh, earlier.export_to_wh) == (
        leaf.import_from_wh,
        leaf.export_from_wh,
    )


def _meter_in_area(
    context: Context, meter: Meter | None, name: str, report: Report
) -> MeterVersion:
    """The certificate of a meter that takes part in the slot of the report."""
    version = meter_at(context, meter, name, report.slot)
    if meter is not None and meter.area != report.area:
        raise METER_AREA_FIXED(meter=name, area=meter.area)
    supplied_at(context, meter, name, report.slot)
    return version


def _check_power(area: Area, rules: MarketRules, leaf: Leaf, meter: MeterVersion) -> None:
    """Refuse a reading above the certified energy plus the rule's tolerance and one step."""
    for energy_wh, power_w in (
        (leaf.import_wh, meter.import_w),
        (leaf.export_wh, meter.export_w),
    ):
        limit_wh = Power(power_w).over(area.slot_s).wh
        if times_exceeded(energy_wh - leaf.resolution_wh, limit_wh, rules.plausible_ppm):
            raise READING_IMPLAUSIBLE(meter=leaf.meter, energy_wh=energy_wh, limit_wh=limit_wh)
