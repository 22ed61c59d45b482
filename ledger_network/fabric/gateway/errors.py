"""Failures between a client and the channel, in a form that a program can act on.

Each step of a submit has its own exception type. Every exception has an `outcome`, which says
whether something may have happened on the channel. Callers decide by `outcome` and `repeatable`,
never by the wording, which is Fabric's and meant for people.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc

REPEATABLE_CODES = frozenset({"MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT"})


class Outcome(enum.Enum):
    """The known outcome of a transaction that failed."""

    NOTHING = "nothing happened"  # it is not on the channel and never will be
    REFUSED = "refused by the contract"  # the same, and the contract said why
    INVALID = "committed as invalid"  # it is on the channel, marked as invalid, without any effect
    FORBIDDEN = "not permitted"  # a policy or a check of identity turned it away
    UNKNOWN = "unknown"  # it may commit, or have committed: its id must be looked up


@dataclass(frozen=True, slots=True)
class Detail:
    """The answer of one peer or orderer: its address, its organisation's MSP id, its words."""

    address: str
    msp_id: str
    message: str


class GatewayError(Exception):
    """A request to a peer's Gateway or Deliver service that failed.

    `message` is the sentence of the node that answered, `code` the gRPC status (None when a
    committed transaction is invalid), `details` what single peers or orderers said, `transaction`
    the id ("" if there is none), `endpoint` the address that was asked last. When a chaincode
    answered with a status of 400 or more, `chaincode_status` and `chaincode_message` repeat its
    answer exactly, else they are None. `repeatable` says that doing the same again, as a new
    transaction, is safe and may succeed.
    """

    step = "request"

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        details: Sequence[Detail] = (),
        transaction: str = "",
        endpoint: str = "",
        outcome: Outcome = Outcome.NOTHING,
        repeatable: bool = False,
        chaincode_status: int | None = None,
        chaincode_message: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = tuple(details)
        self.transaction = transaction
        self.endpoint = endpoint
        self.outcome = outcome
        self.repeatable = repeatable
        self.chaincode_status = chaincode_status
        self.chaincode_message = chaincode_message

    def __str__(self) -> str:
        said = [f"{self.step}: {self.message}"]
        said += [f"{one.msp_id} {one.address}: {one.message}" for one in self.details]
        about = [self.outcome.value]
        if self.code is not None:
            about.append(self.code.name)
        if self.transaction:
            about.append(f"transaction {self.transaction}")
        return f"{'; '.join(said)} ({', '.join(about)})"


class EvaluateError(GatewayError):
    """A query had no answer; queries change nothing."""

    step = "evaluate"


class EndorseError(GatewayError):
    """Too few peers endorsed; nothing was sent to the orderers."""

    step = "endorse"


class Disagreement(EndorseError):
    """Organisations endorsed different results of one proposal.

    `organisations` are the MSP ids whose result differed from that of the peer that the gateway
    asked first; `Gateway.disagreement` may tell which side is wrong. Peers at different heights
    differ for a moment too, so the request may be repeated.
    """

    @property
    def organisations(self) -> tuple[str, ...]:
        """The MSP ids whose result differed from the first."""
        return tuple(dict.fromkeys(one.msp_id for one in self.details if one.message == MISMATCH))


class TamperedEndorsement(EndorseError):
    """A peer returned a transaction other than the one proposed; the client did not sign it."""


class SubmitError(GatewayError):
    """The orderers did not take the transaction, or it is not known whether they did."""

    step = "submit"


class CommitStatusError(GatewayError):
    """The outcome of a transaction could not be found out; it may have committed."""

    step = "commit status"


class CommitError(GatewayError):
    """The transaction is in block `block` and invalid; `validation` is Fabric's code for it."""

    step = "commit"

    def __init__(self, transaction: str, validation: str, block: int) -> None:
        super().__init__(
            f"committed in block {block} as invalid: {validation}",
            transaction=transaction,
            outcome=Outcome.INVALID,
            repeatable=validation in REPEATABLE_CODES,
        )
        self.validation = validation
        self.block = block


class StreamError(GatewayError):
    """A stream of events or blocks was refused and cannot be resumed."""

    step = "stream"


class ClockSkew(GatewayError):
    """This machine's clock and a peer's are further apart than peers accept.

    `own_seconds` is the time that the proposal claimed, `peer_seconds` the peer's at that moment
    (both Unix), `window_s` how far apart they may be.
    """

    step = "clock"

    def __init__(
        self,
        *,
        own_seconds: float,
        peer_seconds: float,
        window_s: float,
        code: grpc.StatusCode | None = None,
        details: Sequence[Detail] = (),
        transaction: str = "",
        endpoint: str = "",
    ) -> None:
        off_s = own_seconds - peer_seconds
        own, peer = (_utc(seconds) for seconds in (own_seconds, peer_seconds))
        super().__init__(
            f"the clock here says {own} and the peer's {peer}: {abs(off_s):.0f} s "
            f"{'ahead' if off_s > 0 else 'behind'}, and peers accept {window_s:.0f} s. Set the "
            "clock of this machine by NTP (or the peer's, if that one is wrong) and try again",
            code=code,
            details=details,
            transaction=transaction,
            endpoint=endpoint,
        )
        self.own_seconds = own_seconds
        self.peer_seconds = peer_seconds
        self.window_s = window_s


MISMATCH = "ProposalResponsePayloads do not match"  # Fabric, internal/pkg/gateway/endorsement.go


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
