"""Makes reports and signs them: the leaves of the meters, the root over them, the tokens.

The contract decides what a report holds and how its root is made (`chaincode.metering.reports`). How
nodes agree on the registers is in `consensus.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaincode.metering.oracles import OracleSet, configuration_digest
from chaincode.metering.reports import (
    REPORT_TYP,
    TRANSIENT_LEAVES,
    Leaf,
    Report,
    ReportArguments,
    leaf_bytes,
    merkle_root,
)
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey
from meter_oracle.peers.ledger_gateway import SignedReport


def make_report(
    leaves: Iterable[Leaf],
    *,
    area: str,
    boundary: int,
    oracle: OracleSet,
    channel: str,
    contract: str,
) -> tuple[Report, list[Leaf]]:
    """Return the report over `leaves`, and the leaves in its order (sorted by meter)."""
    ordered = sorted(leaves, key=lambda leaf: leaf.meter)
    report = Report(
        area=area,
        boundary=boundary,
        channel=channel,
        configuration=configuration_digest(oracle),
        contract=contract,
        count=len(ordered),
        root=merkle_root([leaf_bytes(leaf) for leaf in ordered]),
        v=1,
    )
    return report, ordered


def sign_report(
    report: Report, leaves: Sequence[Leaf], nodes: Iterable[PrivateKey]
) -> SignedReport:
    """Sign a report with each key of `nodes`, and put its leaves beside it, ready to submit."""
    payload = encode(report)
    tokens = [sign_compact(key, REPORT_TYP, payload) for key in nodes]
    return SignedReport(ReportArguments(tokens), {TRANSIENT_LEAVES: encode(list(leaves))})
