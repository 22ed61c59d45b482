"""The steps of a transaction, each sent to one peer's gateway, and to another if that is safe.

Endorsing changes nothing, so it may be repeated. Ordering may not: once a transaction was sent to
the orderers, the client only asks for its outcome. It may ask every peer for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import grpc
from fabric_protos.gateway import gateway_pb2

from ledger_network.fabric.gateway.answers import (
    ALREADY_PROCESSED,
    Failure,
    endorse_error,
    evaluate_error,
    never_sent,
    skew_of,
    submit_error,
)
from ledger_network.fabric.gateway.block import validation_name
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.envelope import Endorsed, endorsed
from ledger_network.fabric.gateway.errors import (
    CommitError,
    CommitStatusError,
    Outcome,
    SubmitError,
)
from ledger_network.fabric.gateway.peers import Failed, Limits, Method, Peers
from ledger_network.fabric.gateway.requests import (
    Entropy,
    SignedProposal,
    SignedStatusRequest,
)
from ledger_network.fabric.gateway.signing import CannotSign
from ledger_network.fabric.gateway.skew import CERTAIN_ORGANISATIONS, PeerClocks

EVALUATE = Method("/gateway.Gateway/Evaluate", gateway_pb2.EvaluateResponse.FromString)
ENDORSE = Method("/gateway.Gateway/Endorse", gateway_pb2.EndorseResponse.FromString)
SUBMIT = Method("/gateway.Gateway/Submit", gateway_pb2.SubmitResponse.FromString)
STATUS = Method(
    "/gateway.Gateway/CommitStatus", gateway_pb2.CommitStatusResponse.FromString, waits=True
)


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction in a block; `code` is Fabric's validation code ("VALID", ...).

    `result` is the contract's answer if the transaction was submitted here, else empty.
    """

    transaction: str
    code: str
    block: int
    result: bytes = b""

    @property
    def valid(self) -> bool:
        """Return whether the transaction took effect."""
        return self.code == "VALID"


class Steps:
    """The steps, sent to `peers`."""

    def __init__(
        self,
        peers: Peers,
        limits: Limits,
        *,
        entropy: Entropy,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._limits = limits
        self._entropy = entropy
        self._monotonic = monotonic
        self._clocks = PeerClocks(monotonic)

    async def evaluate(
        self, proposal: SignedProposal, organisations: Sequence[str], endpoint: Endpoint | None
    ) -> bytes:
        """The contract's answer; raises `EvaluateError` or `ClockSkew`."""
        self._clocks.check(proposal.seconds)
        request = gateway_pb2.EvaluateRequest(
            transaction_id=proposal.transaction,
            channel_id=proposal.channel,
            proposed_transaction=proposal.proposed,
            target_organizations=organisations,
        )
        try:
            answer, _ = await self._peers.ask(
                EVALUATE,
                request,
                timeout_s=self._limits.evaluate_s,
                only=endpoint,
                goes_on=self._goes_on(),
            )
        except Failed as failed:
            raise evaluate_error(failed.failure, proposal.transaction) from failed
        return answer.result.payload

    async def endorse(
        self,
        proposal: SignedProposal,
        organisations: Sequence[str],
        *,
        tries: int | None = None,
        endpoint: Endpoint | None = None,
    ) -> Endorsed:
        """Return the endorsed transaction, unsigned; raises the errors of `endorse_error`."""
        self._clocks.check(proposal.seconds)
        request = gateway_pb2.EndorseRequest(
            transaction_id=proposal.transaction,
            channel_id=proposal.channel,
            proposed_transaction=proposal.proposed,
            endorsing_organizations=organisations,
        )
        tries = tries or self._limits.endorse_tries
        number = 0
        while True:
            number += 1
            try:
                answer, asked = await self._peers.ask(
                    ENDORSE,
                    request,
                    timeout_s=self._limits.endorse_s,
                    only=endpoint,
                    goes_on=self._goes_on(),
                )
            except Failed as failed:
                error = endorse_error(failed.failure, proposal.transaction)
                aborted = failed.failure.code is grpc.StatusCode.ABORTED
                if not (aborted and error.repeatable) or number >= tries:
                    raise error from failed
            else:
                self._clocks.agreed()
                return endorsed(proposal, answer.prepared_transaction, endpoint=asked.address)
            await self.pause(number - 1)

    async def order(self, transaction: Endorsed) -> None:
        """Send a transaction to the orderers; raises `SubmitError`, or `CannotSign` if unsigned."""
        if not transaction.envelope.signature:
            raise CannotSign(f"transaction {transaction.transaction} is not signed")
        request = gateway_pb2.SubmitRequest(
            transaction_id=transaction.transaction,
            channel_id=transaction.channel,
            prepared_transaction=transaction.envelope,
        )
        try:
            await self._peers.ask(
                SUBMIT, request, timeout_s=self._limits.submit_s, goes_on=never_sent
            )
        except Failed as failed:
            if failed.failure.says(ALREADY_PROCESSED):
                return
            reached = failed.endpoint is not None
            raise submit_error(failed.failure, transaction.transaction, reached=reached) from failed

    async def status(self, question: SignedStatusRequest, within_s: float) -> Committed:
        """The outcome of a transaction; raises `CommitStatusError` if no peer knows it in time."""
        deadline = self._monotonic() + within_s
        passed: frozenset[Endpoint] = frozenset()
        while True:
            left_s = deadline - self._monotonic()
            try:
                answer, _ = await self._peers.ask_one(
                    STATUS,
                    question.request,
                    timeout_s=min(max(left_s, 0.001), self._limits.status_try_s),
                    passed=passed,
                )
            except Failed as failed:
                failure = failed.failure
                if deadline <= self._monotonic() or not _asks_on(failure):
                    raise _no_status(failure, question.transaction) from failed
                if failed.endpoint is not None:
                    passed |= {failed.endpoint}
                if failed.endpoint is None or len(passed) == len(self._peers.endpoints):
                    passed = frozenset()
                    # Refusals may come at once, so a pause precedes the next round of all peers.
                    await self.pause(0)
            else:
                name = validation_name(answer.result)
                return Committed(question.transaction, name, answer.block_number)

    async def finish(self, transaction: Endorsed, question: SignedStatusRequest) -> Committed:
        """Order a transaction and wait until it is committed and valid; raises the step's error.

        `question` is signed beforehand, so that no transaction is ordered without a way to ask for
        its outcome.
        """
        uncertain: SubmitError | None = None
        try:
            await self.order(transaction)
        except SubmitError as error:
            if error.outcome is not Outcome.UNKNOWN:
                raise
            uncertain = error
        within_s = self._limits.settle_s if uncertain else self._limits.status_s
        try:
            done = await self.status(question, within_s)
        except CommitStatusError as error:
            raise uncertain or error from error
        if not done.valid:
            raise CommitError(done.transaction, done.code, done.block)
        return replace(done, result=transaction.result)

    async def pause(self, number: int) -> None:
        """Wait before try `number` + 2: twice as long each time, with jitter between clients."""
        longest_s = min(
            self._limits.retry_first_s * 2.0 ** min(number, 16), self._limits.retry_max_s
        )
        await asyncio.sleep(longest_s * (0.5 + self._entropy(1)[0] / 510))

    def _goes_on(self) -> Callable[[Failure], bool]:
        """Return the check whether a proposal that failed may be sent to the next peer.

        If one organisation refuses the timestamp, its own clock may be wrong; if two do, this
        machine's is.
        """
        refusals: set[str] = set()

        def goes_on(failure: Failure) -> bool:
            skew = skew_of(failure)
            if skew is None:
                return failure.elsewhere
            refusals.add(self._clocks.learn(skew))
            return len(refusals) < CERTAIN_ORGANISATIONS

        return goes_on


def _asks_on(failure: Failure) -> bool:
    """Return whether another peer may know the outcome of a transaction."""
    return failure.code not in {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    }


def _no_status(failure: Failure, transaction: str) -> CommitStatusError:
    return CommitStatusError(
        failure.message,
        code=failure.code,
        details=failure.details,
        transaction=transaction,
        endpoint=failure.endpoint,
        outcome=Outcome.UNKNOWN,
    )
