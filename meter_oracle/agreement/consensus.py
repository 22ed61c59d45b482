"""How nodes agree on registers, and what a node checks before it signs a report.

Of n = 3f + 1 nodes up to f may say anything. For one meter at one boundary the median of 2f + 1 or
more observations lies between two honest ones. The meter is agreed upon if 2f + 1 observations lie
within the tolerance around the median, in both registers: resolution + certified power x skew. A
report holds meters for which the same 2f + 1 nodes are in band, so that the same nodes sign it; who
is out of band for one meter signs another report.

All of it is pure. The salts of leaves come from the leading node's secret and travel with the leaves.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chaincode.metering.reports import LEAVES_MAX, Leaf, Report, leaf_bytes, merkle_root
from chaincode.units import Power, times_exceeded
from meter_oracle.readings.boundary import most_wh
from meter_oracle.readings.plausibility import PLAUSIBLE_PPM, Limits


class Values(NamedTuple):
    """Both registers of a meter at a boundary, Wh."""

    import_wh: int
    export_wh: int
    resolution_wh: int


class Agreed(NamedTuple):
    """What was agreed upon, and the nodes whose observations are in band."""

    values: Values
    nodes: frozenset[str]


class Wanted(NamedTuple):
    """A leaf that a report may hold, and the nodes that are expected to sign it."""

    leaf: Leaf
    nodes: frozenset[str]


class Objection(NamedTuple):
    """Why a node does not sign a report; `meters` it cannot vouch for, none if it is all of it."""

    code: str
    sentence: str
    meters: list[str]


def quorum_of(nodes: int) -> int:
    """2f + 1 of n = 3f + 1 nodes: how many must be in band and sign."""
    return 2 * ((nodes - 1) // 3) + 1


def median(values: Iterable[int]) -> int:
    """The middle value, the lower of two: always one that somebody observed."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def tolerance_wh(power_w: int, *, resolution_wh: int, skew_ns: int) -> int:
    """How far two honest observations may lie apart: one step, and full power during the skew."""
    return resolution_wh + most_wh(power_w, skew_ns)


def is_within(one: Values, other: Values, limits: Limits, *, skew_ns: int) -> bool:
    """Whether two observations agree within the tolerance, and count in the same steps."""
    step = max(one.resolution_wh, other.resolution_wh)
    return (
        one.resolution_wh == other.resolution_wh
        and abs(one.import_wh - other.import_wh)
        <= tolerance_wh(limits.import_w, resolution_wh=step, skew_ns=skew_ns)
        and abs(one.export_wh - other.export_wh)
        <= tolerance_wh(limits.export_w, resolution_wh=step, skew_ns=skew_ns)
    )


def agree(
    observations: Mapping[str, Values], limits: Limits, *, quorum: int, skew_ns: int
) -> Agreed | None:
    """What the nodes agree upon for one meter at one boundary, None where they do not."""
    if len(observations) < quorum:
        return None
    middle = Values(*(median(column) for column in zip(*observations.values(), strict=True)))
    nodes = frozenset(
        node
        for node, values in observations.items()
        if is_within(values, middle, limits, skew_ns=skew_ns)
    )
    return Agreed(middle, nodes) if len(nodes) >= quorum else None


def salt_of(secret: bytes, area: str, slot: int, meter: str) -> str:
    """The salt of a leaf, from the leading node's secret: the same for the same leaf."""
    return hmac.digest(secret, f"{area}/{slot}/{meter}".encode(), "sha256").hex()


def part_into_reports(wanted: Sequence[Wanted], *, quorum: int) -> list[list[Wanted]]:
    """The leaves in as few reports as their signers allow, the largest first.

    The signers of a report are the set that can vouch for the most leaves; of two that can for
    equally many, the larger.
    """
    left = [leaf for leaf in wanted if len(leaf.nodes) >= quorum]
    reports: list[list[Wanted]] = []
    while left:
        sets = {leaf.nodes for leaf in left}
        counted = {nodes: sum(nodes <= leaf.nodes for leaf in left) for nodes in sets}
        signers = max(sets, key=lambda nodes: (counted[nodes], len(nodes), sorted(nodes)))
        members = [leaf for leaf in left if signers <= leaf.nodes]
        left = [leaf for leaf in left if not signers <= leaf.nodes]
        reports += [
            [Wanted(leaf, signers) for leaf, _ in members[at : at + LEAVES_MAX]]
            for at in range(0, len(members), LEAVES_MAX)
        ]
    return reports


class Vouching(NamedTuple):
    """What a node holds against a proposed report: its own observations and what is recorded.

    `before` and `after` are its own values at the slot's two boundaries, `earlier` and `later` the
    recorded readings of the slot before and the one after, `recorded` those of the slot itself.
    """

    before: Mapping[str, Values]
    after: Mapping[str, Values]
    earlier: Mapping[str, Leaf]
    later: Mapping[str, Leaf]
    recorded: Mapping[str, Leaf]
    limits: Mapping[str, Limits]
    slot_s: int
    skew_ns: int


def objection(
    report: Report, leaves: Sequence[Leaf], expected: Report, own: Vouching
) -> Objection | None:
    """Why a node does not sign `report` over `leaves`; None if it does.

    `expected` is a report of the node's own making for that slot: everything that leaves do not
    decide has to be the same.
    """
    filled = msgspec.structs.replace(expected, count=report.count, root=report.root)
    if report != filled:
        return Objection("REPORT_FOREIGN", "It is for another market, slot or set of nodes.", [])
    names = [leaf.meter for leaf in leaves]
    if not 1 <= len(leaves) <= LEAVES_MAX or len(leaves) != report.count:
        return Objection("REPORT_COUNT", f"It names {report.count} leaves for {len(leaves)}.", [])
    if names != sorted(set(names)):
        return Objection("REPORT_ORDER", "Its leaves do not rise by meter, each once.", [])
    if merkle_root([leaf_bytes(leaf) for leaf in leaves]) != report.root:
        return Objection("REPORT_ROOT", "Its leaves are not those under its root.", [])
    salts = {leaf.salt for leaf in leaves}
    if len(salts) != len(leaves) or any(len(set(salt)) == 1 for salt in salts):
        return Objection("REPORT_SALTS", "Its salts hide nothing.", [])
    meters = [leaf.meter for leaf in leaves if not vouches(leaf, own)]
    if meters:
        return Objection(
            "REPORT_DISAGREES", "This node cannot vouch for all of its meters.", meters
        )
    return None


def vouches(leaf: Leaf, own: Vouching) -> bool:
    """Whether a leaf is what a node itself observed, within tolerance, and follows what is recorded."""
    limits = own.limits.get(leaf.meter)
    if limits is None or leaf.quality != "measured" or leaf.meter in own.recorded:
        return False
    begins = Values(leaf.import_from_wh, leaf.export_from_wh, leaf.resolution_wh)
    ends = Values(leaf.import_to_wh, leaf.export_to_wh, leaf.resolution_wh)
    return (
        _is_plausible(leaf, limits, own.slot_s)
        and _holds(
            begins, _end(own.earlier.get(leaf.meter)), own.before.get(leaf.meter), own, limits
        )
        and _holds(ends, _begin(own.later.get(leaf.meter)), own.after.get(leaf.meter), own, limits)
    )


def make_leaf(
    meter: str, *, begins: Values, ends: Values, salt: str, limits: Limits, slot_s: int
) -> Leaf | None:
    """The leaf of a slot between two agreed boundaries, None where the contract would refuse it."""
    leaf = Leaf(
        export_from_wh=begins.export_wh,
        export_to_wh=ends.export_wh,
        import_from_wh=begins.import_wh,
        import_to_wh=ends.import_wh,
        meter=meter,
        quality="measured",
        resolution_wh=ends.resolution_wh,
        salt=salt,
    )
    return leaf if _is_plausible(leaf, limits, slot_s) else None


def _is_plausible(leaf: Leaf, limits: Limits, slot_s: int) -> bool:
    """The contract's own rule: one leaf that breaks it would have the whole report refused."""
    for energy_wh, power_w in (
        (leaf.import_wh, limits.import_w),
        (leaf.export_wh, limits.export_w),
    ):
        certified_wh = Power(power_w).over(slot_s).wh
        if energy_wh < 0 or times_exceeded(
            energy_wh - leaf.resolution_wh, certified_wh, PLAUSIBLE_PPM
        ):
            return False
    return True


def _holds(
    said: Values,
    recorded: tuple[int, int] | None,
    observed: Values | None,
    own: Vouching,
    limits: Limits,
) -> bool:
    """Whether one end of a leaf is the recorded register, or where none is, the observed one."""
    if recorded is not None:
        return (said.import_wh, said.export_wh) == recorded
    return observed is not None and is_within(said, observed, limits, skew_ns=own.skew_ns)


def _end(leaf: Leaf | None) -> tuple[int, int] | None:
    return None if leaf is None else (leaf.import_to_wh, leaf.export_to_wh)


def _begin(leaf: Leaf | None) -> tuple[int, int] | None:
    return None if leaf is None else (leaf.import_from_wh, leaf.export_from_wh)
