"""Turns a failure of the Gateway into one of the port: refused, conflict, invalid or unknown."""

from __future__ import annotations

from ledger_network.fabric.gateway.comparison import Verdict
from ledger_network.fabric.gateway.errors import (
    CommitError,
    Disagreement,
    GatewayError,
    Outcome,
)
from ledger_network.fabric.ledger.contract_service import refused_of
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
    for said, sentence in _CAUSES.items():
        if said in str(error):
            return Invalid(f"{sentence} ({error})")
    return Invalid(str(error))


def disagreement_of(error: GatewayError, verdict: Verdict | None) -> Exception:
    """The exception of the port for a failed request; `verdict` tells in what peers disagreed."""
    if verdict is None:
        return outcome_of(error)
    differed = f"{', '.join(verdict.odd)} differed in {', '.join(verdict.differing)}"
    if verdict.of_states:
        return Invalid(
            f"the organisations' peers have different states: {differed}; a peer is behind or lacks "
            "private values: look at it with `commonwatt network doctor` and submit again"
        )
    return Invalid(
        f"the organisations' contracts disagree: {differed}; let all members run the version agreed on"
    )


_CAUSES = {
    "client identity expired": (
        "the certificate of this client has expired: have its organisation's authority issue a new one "
        "and put it in place; it is then read automatically"
    ),
    "creator org unknown": (
        "the peers know no authority for this client: use a certificate that its "
        "organisation's own authority issued, under that organisation's MSP id"
    ),
    "failed to get config for channel": (
        "the peers have not joined a channel of that name: take the channel's name from `commonwatt network "
        "profile`, or let the peers join it"
    ),
    "No metadata was found for chaincode": (
        "no contract of that name is committed on the channel: take its name from `commonwatt network "
        "profile`, or let the members approve and commit it"
    ),
}
"""Wordings of peers, each with the sentence to report: the cause and the remedy."""
_OVERTAKEN = ("EXPIRED_CHAINCODE",)
"""Codes of a contract upgrade between endorsement and commit; a repeated submit may succeed."""
_INVALID = {
    "ENDORSEMENT_POLICY_FAILURE": (
        "the endorsements do not satisfy the policy: ENDORSEMENT_POLICY_FAILURE"
    ),
}
