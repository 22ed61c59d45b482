"""Reports of oracle nodes: leaves over meters, the root they sign, the tokens that carry it.

What a report holds and how its root is made is the contract's rule (`chaincode.metering.reports`); this
is the nodes' side of it. How nodes come to agree on registers is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chaincode.metering.reports import (
    REPORT_TYP,
    TRANSIENT_LEAVES,
    Leaf,
    OracleSet,
    Report,
    ReportArguments,
    configuration_digest,
    leaf_bytes,
    merkle_root,
)
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey


class SignedReport(msgspec.Struct, frozen=True):
    """A report as it is submitted: tokens as arguments, leaves as transient data."""

    arguments: ReportArguments
    transient: dict[str, bytes]


def make_report(
    leaves: Iterable[Leaf], *, area: str, slot: int, oracle: OracleSet, channel: str, contract: str
) -> tuple[Report, list[Leaf]]:
    """The report over `leaves` and the leaves in its order (rising by meter)."""
    ordered = sorted(leaves, key=lambda leaf: leaf.meter)
    report = Report(
        area=area,
        channel=channel,
        configuration=configuration_digest(oracle),
        contract=contract,
        count=len(ordered),
        root=merkle_root([leaf_bytes(leaf) for leaf in ordered]),
        slot=slot,
        v=1,
    )
    return report, ordered


def sign_report(
    report: Report, leaves: Sequence[Leaf], nodes: Iterable[PrivateKey]
) -> SignedReport:
    """The report signed by each of `nodes`, with its leaves, ready to submit."""
    payload = encode(report)
    tokens = [sign_compact(key, REPORT_TYP, payload) for key in nodes]
    return SignedReport(ReportArguments(tokens), {TRANSIENT_LEAVES: encode(list(leaves))})
