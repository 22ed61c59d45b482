"""The client of a channel: query, endorse, order, wait for the commit, or submit in one call.

A submit has three steps, and each can fail in its own way (`errors.py`). After a failure the caller
must know whether anything happened: a failed endorsement changed nothing, but a transaction that was
sent to the orderers may commit although its sender got no answer. The client never sends such a
transaction again; it asks other peers for its outcome.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence

from fabric_protos.common.common_pb2 import Envelope

from ledger_network.fabric.gateway import streams
from ledger_network.fabric.gateway.block import Block, BlockTransaction, FilteredBlock
from ledger_network.fabric.gateway.checkpoint import Checkpoint
from ledger_network.fabric.gateway.comparison import Verdict, compare
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.envelope import Endorsed
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.gateway.peers import Limits, Peers
from ledger_network.fabric.gateway.queries import Chain
from ledger_network.fabric.gateway.requests import (
    BlocksRequest,
    Clock,
    Entropy,
    EventsRequest,
    Proposal,
    SignedBlocksRequest,
    SignedEventsRequest,
    SignedProposal,
    SignedStatusRequest,
    StatusRequest,
)
from ledger_network.fabric.gateway.signing import Credential, Identity
from ledger_network.fabric.gateway.steps import Committed, Steps
from ledger_network.fabric.gateway.streams import ChaincodeEvent, Streams


class Gateway:
    """A client of `channel` as `identity`, through the gateways of `endpoints`.

    Close the client, or use it as an async context manager. `clock` gives Unix seconds and becomes
    the transactions' time; `entropy` gives unpredictable bytes. With `prefer_first` the first
    endpoint gets all requests while it is healthy; otherwise the load is spread.
    """

    def __init__(
        self,
        identity: Identity,
        endpoints: Sequence[Endpoint],
        *,
        channel: str,
        clock: Clock = time.time,
        entropy: Entropy = secrets.token_bytes,
        limits: Limits | None = None,
        prefer_first: bool = False,
    ) -> None:
        self.identity = identity
        self.channel = channel
        self.limits = limits or Limits()
        self._clock = clock
        self._entropy = entropy
        self._peers = Peers(endpoints, self.limits, prefer_first=prefer_first)
        self._slots = asyncio.Semaphore(self.limits.in_flight)
        self._steps = Steps(self._peers, self.limits, entropy=entropy)
        self._chain = Chain(channel, self._ask_chain)
        self._streams = Streams(self._peers, self._steps, self._chain)

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; requests in progress fail. A second call has no effect."""
        await self._peers.close()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The peers whose gateways are used."""
        return self._peers.endpoints

    def propose(
        self,
        chaincode: str,
        arguments: Sequence[bytes],
        *,
        transient: Mapping[str, bytes] | None = None,
        identity: Identity | None = None,
    ) -> Proposal:
        """Return an unsigned proposal by `identity` (this gateway's own if not given)."""
        return Proposal(
            (identity or self.identity).current(),
            self.channel,
            chaincode,
            arguments,
            transient=transient,
            clock=self._clock,
            entropy=self._entropy,
        )

    async def evaluate(
        self,
        chaincode: str,
        arguments: Sequence[bytes],
        *,
        transient: Mapping[str, bytes] | None = None,
        organisations: Sequence[str] = (),
        endpoint: Endpoint | None = None,
    ) -> bytes:
        """Return the answer of one peer to a query: a peer of one of `organisations` if given.

        `endpoint` is the peer whose gateway is asked. Raises `EvaluateError` or `ClockSkew`.
        """
        proposal = self.propose(chaincode, arguments, transient=transient).self_signed()
        return await self.evaluate_signed(proposal, organisations=organisations, endpoint=endpoint)

    async def evaluate_signed(
        self,
        proposal: SignedProposal,
        *,
        organisations: Sequence[str] = (),
        endpoint: Endpoint | None = None,
    ) -> bytes:
        """Evaluate a proposal that was signed elsewhere."""
        async with self._slots:
            return await self._steps.evaluate(proposal, organisations, endpoint)

    async def endorse(
        self,
        chaincode: str,
        arguments: Sequence[bytes],
        *,
        transient: Mapping[str, bytes] | None = None,
        organisations: Sequence[str] = (),
    ) -> Endorsed:
        """Return a signed transaction, endorsed by enough peers (of `organisations` if given).

        Raises `EndorseError`, `Disagreement`, `TamperedEndorsement` or `ClockSkew`; in each case
        nothing has happened on the channel.
        """
        proposal = self.propose(chaincode, arguments, transient=transient).self_signed()
        async with self._slots:
            done = await self._steps.endorse(proposal, organisations)
        return done.self_signed()

    async def endorse_signed(
        self, proposal: SignedProposal, *, organisations: Sequence[str] = ()
    ) -> Endorsed:
        """Endorse a proposal that was signed elsewhere; the result must be signed there too."""
        async with self._slots:
            return await self._steps.endorse(proposal, organisations)

    async def order(self, endorsed: Endorsed) -> None:
        """Hand a signed transaction to the orderers; it is not committed yet.

        Raises `SubmitError`; with `Outcome.UNKNOWN` ask `commit_status`, never order it again. Raises
        `CannotSign` if the transaction is not signed.
        """
        async with self._slots:
            await self._steps.order(endorsed)

    async def commit_status(self, transaction: str) -> Committed:
        """Return the outcome of a transaction as soon as it is in a block.

        Raises `CommitStatusError` when the outcome is not known within `Limits.status_s`.
        """
        async with self._slots:
            return await self._steps.status(self._question(transaction), self.limits.status_s)

    async def commit_status_signed(self, request: SignedStatusRequest) -> Committed:
        """Return the outcome for a request that was signed elsewhere."""
        async with self._slots:
            return await self._steps.status(request, self.limits.status_s)

    async def submit(
        self,
        chaincode: str,
        arguments: Sequence[bytes],
        *,
        transient: Mapping[str, bytes] | None = None,
        organisations: Sequence[str] = (),
        repeats: int = 0,
    ) -> Committed:
        """Endorse, order and wait; return a transaction that is committed and valid.

        Raises the `GatewayError` of the step that failed; see its `outcome`. `repeats` is how often
        all steps may be repeated with a new transaction, which happens only when it is safe
        (`GatewayError.repeatable`). Give it only if the caller's transaction may be repeated.
        """
        for number in range(repeats + 1):
            try:
                async with self._slots:
                    proposal = self.propose(chaincode, arguments, transient=transient)
                    done = await self._steps.endorse(proposal.self_signed(), organisations)
                    return await self._finish(done.self_signed())
            except GatewayError as error:
                if not error.repeatable or number == repeats:
                    raise
            await self._steps.pause(number)
        raise ValueError(f"repeats is {repeats}, and cannot be negative")

    async def submit_endorsed(self, endorsed: Endorsed) -> Committed:
        """Carry out the last two steps of `submit` for an endorsed and signed transaction."""
        async with self._slots:
            return await self._finish(endorsed)

    def status_request(
        self, transaction: str, *, identity: Identity | None = None
    ) -> StatusRequest:
        """A request for the outcome of `transaction`, to be signed by `identity`."""
        credential = (identity or self.identity).current()
        return StatusRequest(credential, self.channel, transaction)

    def events_request(
        self, chaincode: str, *, start: int, identity: Identity | None = None
    ) -> EventsRequest:
        """A request for events of `chaincode` from block `start` on, to be signed by `identity`."""
        credential = (identity or self.identity).current()
        return EventsRequest(credential, self.channel, chaincode, start)

    def blocks_request(
        self, *, start: int, endpoint: Endpoint, identity: Identity | None = None
    ) -> BlocksRequest:
        """A request for blocks from `start` on, to be signed by `identity`, for `endpoint`."""
        return BlocksRequest(
            (identity or self.identity).current(),
            self.channel,
            start,
            clock=self._clock,
            entropy=self._entropy,
            tls_hash=endpoint.tls_hash(),
        )

    def chaincode_events(
        self, chaincode: str, *, after: Checkpoint | None = None
    ) -> AsyncGenerator[ChaincodeEvent]:
        """Yield the events of valid transactions of `chaincode`, each exactly once, in order.

        The events begin after `after`, or with the next block, and continue across lost connections
        and other endpoints until the generator is closed. Raises `StreamError` if the stream is
        refused.
        """
        return self._streams.chaincode_events(
            lambda _, start: self.events_request(chaincode, start=start).self_signed().request,
            start=None,
            after=after,
        )

    def chaincode_events_signed(
        self, request: SignedEventsRequest, *, after: Checkpoint | None = None
    ) -> AsyncGenerator[ChaincodeEvent]:
        """Yield events for a request that was signed elsewhere, which also resumes the stream."""
        return self._streams.chaincode_events(
            lambda _, __: request.request, start=request.start, after=after
        )

    def blocks(
        self, *, start: int | None = None, endpoint: Endpoint | None = None
    ) -> AsyncGenerator[Block]:
        """Yield whole blocks from number `start` on (the next one if None), each once, without end.

        Only `endpoint` is asked if given. Raises `StreamError` if the stream is refused.
        """
        return self._streams.follow(streams.BLOCKS, self._open_blocks, start, endpoint)

    def blocks_signed(
        self, request: SignedBlocksRequest, *, endpoint: Endpoint
    ) -> AsyncGenerator[Block]:
        """Yield blocks for a request that was signed elsewhere, which also resumes the stream."""
        return self._streams.follow(
            streams.BLOCKS, lambda _, __: request.request, request.start, endpoint
        )

    def filtered_blocks(
        self, *, start: int | None = None, endpoint: Endpoint | None = None
    ) -> AsyncGenerator[FilteredBlock]:
        """Yield blocks like `blocks`, with ids and validation codes only."""
        return self._streams.follow(streams.FILTERED, self._open_blocks, start, endpoint)

    async def height(self, endpoint: Endpoint | None = None) -> int:
        """Return the number of blocks that the peer `endpoint` has, or any peer if None."""
        return await self._chain.height(endpoint)

    async def block(self, number: int, *, endpoint: Endpoint | None = None) -> Block:
        """Return block `number` of `endpoint` or any peer; raises `EvaluateError` without one."""
        return await self._chain.block(number, endpoint)

    async def block_of(self, transaction: str, *, endpoint: Endpoint | None = None) -> Block:
        """The block with `transaction`; raises `EvaluateError` if the peer does not know it."""
        return await self._chain.block_of(transaction, endpoint)

    async def transaction(
        self, transaction: str, *, endpoint: Endpoint | None = None
    ) -> BlockTransaction:
        """A committed transaction; raises `EvaluateError` if the peer does not know it."""
        return await self._chain.transaction(transaction, endpoint)

    async def check_clock(self) -> None:
        """Ask a peer of each endpoint whether it takes this machine's time.

        Raises `ClockSkew` when a peer refuses the time; an unavailable peer is skipped.
        """
        await self._chain.check_clock(self.endpoints)

    async def disagreement(
        self,
        chaincode: str,
        arguments: Sequence[bytes],
        *,
        organisations: Sequence[str],
        transient: Mapping[str, bytes] | None = None,
    ) -> Verdict:
        """Find which of `organisations` answer the same proposal differently from the rest.

        Nothing is ordered. Private values in `transient` reach all of `organisations`.
        """
        proposal = self.propose(chaincode, arguments, transient=transient).self_signed()
        async with self._slots:
            return await compare(self._steps, proposal, organisations)

    async def _ask_chain(
        self, chaincode: str, arguments: Sequence[bytes], endpoint: Endpoint | None
    ) -> bytes:
        organisations = () if endpoint is None else (endpoint.msp_id,)
        return await self.evaluate(
            chaincode, arguments, organisations=organisations, endpoint=endpoint
        )

    def _open_blocks(self, endpoint: Endpoint, start: int) -> Envelope:
        return self.blocks_request(start=start, endpoint=endpoint).self_signed().request

    def _question(
        self, transaction: str, credential: Credential | None = None
    ) -> SignedStatusRequest:
        """Ask for the outcome as the sender, or if its key is not here, as this gateway.

        Any member may ask.
        """
        asks = (
            credential
            if credential is not None and credential.can_sign
            else self.identity.current()
        )
        return StatusRequest(asks, self.channel, transaction).self_signed()

    async def _finish(self, endorsed: Endorsed) -> Committed:
        question = self._question(endorsed.transaction, endorsed.credential)
        return await self._steps.finish(endorsed, question)
