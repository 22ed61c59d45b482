"""What a failure of the Gateway means at the port: refused, conflict, invalid, or unknown."""

from __future__ import annotations

from ledger_network.fabric.gateway.errors import (
    CommitError,
    Disagreement,
    GatewayError,
    Outcome,
)
from ledger_network.fabric.service import refused_of
from ledger_network.port import Conflict, Invalid, Unknown


def outcome_of(error: GatewayError) -> Exception:
    """The exception of the port for a failed request, to be raised from `error`."""
    if error.chaincode_message is not None:
        refused = refused_of(error.chaincode_message)
        if refused is not None:
            return refused
        return Invalid(f"the contract at a peer failed: {error.chaincode_message}")
    if isinstance(error, CommitError):
        if error.repeatable or error.validation in _OVERTAKEN:
            return Conflict(f"{error.validation} in block {error.block}")
        return Invalid(f"{_INVALID.get(error.validation, error.validation)} (block {error.block})")
    if isinstance(error, Disagreement):
        named = ", ".join(error.organisations) or "some of them"
        return Invalid(f"the organisations' contracts disagree: {named} answered otherwise")
    if error.outcome is Outcome.UNKNOWN:
        return Unknown(error.transaction, error.message)
    return Invalid(str(error))


_OVERTAKEN = ("EXPIRED_CHAINCODE",)
"""The contract was upgraded between endorsement and commit: as it is, it may be submitted again."""
_INVALID = {
    "ENDORSEMENT_POLICY_FAILURE": (
        "the endorsements do not satisfy the policy: ENDORSEMENT_POLICY_FAILURE"
    ),
}
