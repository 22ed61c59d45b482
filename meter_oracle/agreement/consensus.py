"""How nodes agree on registers, and what a node checks before it signs a report.

Of n = 3f + 1 nodes up to f may say anything. For one meter at one boundary the median of 2f + 1 or more
observations lies between two honest ones. The nodes agree on the meter if 2f + 1 observations of both
registers lie within the tolerance around the median: resolution + certified power x skew. A report holds
meters for which the same 2f + 1 nodes are within the tolerance, so the same nodes can sign all of it. A
node whose observation of a meter is outside the tolerance signs a report without that meter.

A node trusts no other node, so before it signs it judges a leaf again: against its own observation,
against the register that the ledger holds one slot earlier, and by the contract's rule for plausible
energies. The contract repeats these checks.

The functions have no side effects. The salts of leaves come from the leading node's secret and travel
with the leaves.
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
    """The values that the nodes agree on, and the nodes whose observations are within the tolerance."""

    values: Values
    nodes: frozenset[str]


class Wanted(NamedTuple):
    """A leaf for a report, and the nodes that are expected to sign it."""

    leaf: Leaf
    nodes: frozenset[str]


class Objection(NamedTuple):
    """Why a node does not sign a report; `meters` lists those it cannot vouch for.

    The list is empty if the objection is to the whole report.
    """

    code: str
    sentence: str
    meters: list[str]


def median(values: Iterable[int]) -> int:
    """Return the middle value, or the lower of two middle values: always one that was observed."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def tolerance_wh(power_w: int, *, resolution_wh: int, skew_ns: int) -> int:
    """Return how far two honest observations may differ: one step plus full power for the skew."""
    return resolution_wh + most_wh(power_w, skew_ns)


def is_within(one: Values, other: Values, limits: Limits, *, skew_ns: int) -> bool:
    """Return whether two observations agree within the tolerance and count in the same steps."""
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
    """Return what the nodes agree on for one meter at one boundary, or None if they do not agree."""
    if len(observations) < quorum:
        return None
    middle = Values(*(median(column) for column in zip(*observations.values(), strict=True)))
    nodes = frozenset(
        node
        for node, values in observations.items()
        if is_within(values, middle, limits, skew_ns=skew_ns)
    )
    return Agreed(middle, nodes) if len(nodes) >= quorum else None


def salt_of(secret: bytes, area: str, boundary: int, meter: str) -> str:
    """Return the salt of a leaf, made from the leading node's secret; always the same for a leaf."""
    return hmac.digest(secret, f"{area}/{boundary}/{meter}".encode(), "sha256").hex()


def part_into_reports(wanted: Sequence[Wanted], *, quorum: int) -> list[list[Wanted]]:
    """Divide the leaves into as few reports as their signers allow, the largest first.

    The signers of a report are the set of nodes that can vouch for the most leaves. If two sets can vouch
    for equally many, the larger set signs.
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
    """The values with which a node compares a proposed report: observed and recorded ones.

    `observed` are the node's own values at the boundary. `earlier` are the recorded readings one slot
    before, `recorded` those of the boundary itself.
    """

    observed: Mapping[str, Values]
    earlier: Mapping[str, Leaf]
    recorded: Mapping[str, Leaf]
    limits: Mapping[str, Limits]
    slot_s: int
    skew_ns: int


def objection(
    report: Report, leaves: Sequence[Leaf], expected: Report, own: Vouching
) -> Objection | None:
    """Return why a node does not sign `report` over `leaves`, or None if it signs.

    `expected` is a report that the node made itself for that boundary. The two must agree in every field that
    does not depend on the leaves.
    """
    filled = msgspec.structs.replace(expected, count=report.count, root=report.root)
    if report != filled:
        return Objection(
            "REPORT_FOREIGN", "The report is for another market, boundary or set of nodes.", []
        )
    names = [leaf.meter for leaf in leaves]
    if not 1 <= len(leaves) <= LEAVES_MAX or len(leaves) != report.count:
        return Objection(
            "REPORT_COUNT", f"The report names {report.count} leaves and has {len(leaves)}.", []
        )
    if names != sorted(set(names)):
        return Objection(
            "REPORT_ORDER", "The leaves are not sorted by meter, or a meter is listed twice.", []
        )
    if merkle_root([leaf_bytes(leaf) for leaf in leaves]) != report.root:
        return Objection("REPORT_ROOT", "The leaves do not give the root of the report.", [])
    if any(leaf.boundary != report.boundary for leaf in leaves):
        return Objection("REPORT_BOUNDARY", "A leaf is for another boundary than the report.", [])
    salts = {leaf.salt for leaf in leaves}
    if len(salts) != len(leaves) or any(len(set(salt)) == 1 for salt in salts):
        return Objection(
            "REPORT_SALTS", "The salts are repeated or constant, so they hide nothing.", []
        )
    meters = [leaf.meter for leaf in leaves if not vouches(leaf, own)]
    if meters:
        return Objection(
            "REPORT_DISAGREES", "This node cannot vouch for all meters of the report.", meters
        )
    return None


def vouches(leaf: Leaf, own: Vouching) -> bool:
    """Return whether a leaf is within the tolerance of the node's values and follows the records."""
    limits, observed = own.limits.get(leaf.meter), own.observed.get(leaf.meter)
    if limits is None or observed is None or leaf.meter in own.recorded:
        return False
    said = Values(leaf.import_wh, leaf.export_wh, leaf.resolution_wh)
    return is_within(said, observed, limits, skew_ns=own.skew_ns) and follows(
        leaf, own.earlier.get(leaf.meter), limits, own.slot_s
    )


def make_leaf(meter: str, boundary: int, values: Values, *, salt: str) -> Leaf:
    """Make the leaf of a meter at a boundary."""
    return Leaf(
        boundary=boundary,
        export_wh=values.export_wh,
        import_wh=values.import_wh,
        meter=meter,
        resolution_wh=values.resolution_wh,
        salt=salt,
    )


def follows(leaf: Leaf, earlier: Leaf | None, limits: Limits, slot_s: int) -> bool:
    """Return whether a leaf can follow the one recorded a slot before, by the contract's rule.

    A register that has fallen passes: only the contract knows whether the device was replaced.
    """
    if earlier is None:
        return True
    steps_wh = leaf.resolution_wh + earlier.resolution_wh
    for energy_wh, power_w in (
        (leaf.import_wh - earlier.import_wh, limits.import_w),
        (leaf.export_wh - earlier.export_wh, limits.export_w),
    ):
        certified_wh = Power(power_w).over(slot_s).wh
        if times_exceeded(energy_wh - steps_wh, certified_wh, PLAUSIBLE_PPM):
            return False
    return True
