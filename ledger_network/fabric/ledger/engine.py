"""The port `Ledger` on a Fabric network, through the gateways of the members' peers.

The caller names the members that the ledger may act for, each by its profile. A receipt is returned
when the member's peer has committed the transaction. A transaction that was acknowledged to one
member is visible to the queries of all members that use the same ledger object. Two such objects
may see a transaction at different times, since each peer commits at its own pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from identity.canonical import encode
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.comparison import Verdict
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.envelope import Endorsed
from ledger_network.fabric.gateway.errors import (
    CommitError,
    Disagreement,
    EndorseError,
    GatewayError,
    Outcome,
    SubmitError,
)
from ledger_network.fabric.gateway.peers import Limits
from ledger_network.fabric.ledger.contract_service import READ
from ledger_network.fabric.ledger.members import Members
from ledger_network.fabric.ledger.outcomes import disagreement_of, outcome_of
from ledger_network.fabric.ledger.peer_follower import LAG_S, CommitPlace, PeerFollower
from ledger_network.fabric.ledger.port_blocks import committed_events_in, port_block
from ledger_network.fabric.ledger.public_state import state_hash
from ledger_network.port import (
    Block,
    CommittedEvents,
    Health,
    Invalid,
    Member,
    Position,
    Receipt,
    RunnableContract,
)

T = TypeVar("T")

ATTEMPTS_MAX = 8  # for a transaction that changed nothing, while peers catch up or are unavailable
PAUSE_MAX_S = 1.0
STATES_S = 30.0  # so long peers may have different states: private values arrive after their block
COMMIT_SHOWN_S = 30.0  # then another peer is asked, as the member's own may be unavailable
UNKNOWN_TRANSACTION = "no such transaction ID"


class FabricLedger:
    """One channel with one contract, for the members whose profiles are given."""

    def __init__(
        self,
        profiles: Sequence[Profile],
        contract: RunnableContract,
        *,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        states_s: float = STATES_S,
    ) -> None:
        """Take what `open` prepares. Only `open` calls this, and then follows the peers."""
        self._contract = contract
        self._states_s = states_s
        self._limits = limits or Limits()
        self._members = Members(profiles, clock=clock, limits=self._limits)
        self._newest = -1  # the highest block that a receipt of this ledger names
        self._closed = False

    @classmethod
    async def open(
        cls,
        profiles: Sequence[Profile],
        *,
        contract: RunnableContract,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        states_s: float = STATES_S,
    ) -> Self:
        """Connect as the members of `profiles`. Raises `Invalid` when no peer can be reached.

        `contract` only tells which rows count in the state hash; the peers run the contract.
        `clock` gives Unix seconds, the transactions' time. `states_s` is how long a submit waits
        for peers whose states differ.
        """
        ledger = cls(profiles, contract, clock=clock, limits=limits, states_s=states_s)
        try:
            await ledger._members.follow()
        except GatewayError as error:
            await ledger.close()
            raise outcome_of(error) from error
        return ledger

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self._members.first.channel

    @property
    def contract(self) -> str:
        """The contract's name, as in its definition on the channel."""
        return self._members.first.contract

    # Transactions

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        """Carry out transaction `name`; on return the member's peer has committed it.

        Attempts that certainly changed nothing are repeated for some seconds, since peers may be
        unavailable or behind. Peers that read different states are waited for up to `STATES_S`.
        """
        gateway = self._members.gateway(member)
        call = [name.encode(), encode(arguments)]
        pause_s = self._limits.retry_first_s
        ends_s = time.monotonic() + self._states_s
        for attempt in itertools.count(1):
            self._require_open()
            newest = self._newest
            lagging = self._members.lagging(newest)
            try:
                return await self._submit(gateway, call, transient)
            except GatewayError as error:
                suspects = [one for one in lagging if _may_have_misled(one, error)]
                if not (suspects or _passes(error)):
                    raise await self._outcome(gateway, call, error) from error
                if attempt >= ATTEMPTS_MAX:
                    waits = isinstance(error, Disagreement) and time.monotonic() < ends_s
                    verdict = await self._verdict(gateway, call, error)
                    if not waits or (verdict is not None and not verdict.of_states):
                        raise disagreement_of(error, verdict) from error
            if suspects:
                await asyncio.gather(*(follower.reached(newest) for follower in suspects))
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S, self._limits.retry_max_s)
        raise AssertionError("attempts go on until one returns or raises")

    async def _submit(
        self, gateway: Gateway, call: Sequence[bytes], transient: Mapping[str, bytes] | None
    ) -> Receipt:
        endorsed = await gateway.endorse(self.contract, call, transient=transient)
        return await self._commit(gateway, endorsed)

    async def endorse(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Endorsed:
        """The first half of `submit`: simulate and endorse; nothing is ordered yet."""
        self._require_open()
        call = [name.encode(), encode(arguments)]
        gateway = self._members.gateway(member)
        try:
            return await gateway.endorse(self.contract, call, transient=transient)
        except GatewayError as error:
            raise await self._outcome(gateway, call, error) from error

    async def commit(self, endorsed: Endorsed, *, member: Member) -> Receipt:
        """The second half of `submit`: order, and wait for the member's peer to commit."""
        self._require_open()
        try:
            return await self._commit(self._members.gateway(member), endorsed)
        except GatewayError as error:
            raise outcome_of(error) from error

    async def _commit(self, gateway: Gateway, endorsed: Endorsed) -> Receipt:
        transaction = endorsed.transaction
        follower = self._members.follower_of(gateway)
        with follower.expecting(transaction) as committed:
            await gateway.order(endorsed)
            place = await self._committed(gateway, transaction, committed)
        if place.code != "VALID":
            raise CommitError(transaction, place.code, place.block)
        self._newest = max(self._newest, place.block)
        return Receipt(transaction, place.block, place.index, endorsed.result)

    async def _committed(
        self, gateway: Gateway, transaction: str, committed: asyncio.Future[CommitPlace]
    ) -> CommitPlace:
        """Return where a transaction was committed, by the member's peer or else by any peer."""
        try:
            async with asyncio.timeout(COMMIT_SHOWN_S):
                return await asyncio.shield(committed)
        except TimeoutError:
            status = await gateway.commit_status(transaction)
        for follower in self._members.followers:
            if place := follower.place(transaction):
                return place
        block = await gateway.block(status.block)
        ids = [found.id for found in block.transactions]
        return CommitPlace(status.block, ids.index(transaction), status.code)

    async def _outcome(
        self, gateway: Gateway, call: Sequence[bytes], error: GatewayError
    ) -> Exception:
        """Return the port's exception, which names the odd organisations if they disagree."""
        return disagreement_of(error, await self._verdict(gateway, call, error))

    async def _verdict(
        self, gateway: Gateway, call: Sequence[bytes], error: GatewayError
    ) -> Verdict | None:
        """Return in what the organisations differ; None if they do not, or if it cannot be found.

        Private values are not sent to everybody for this, so nothing is found of a transaction that
        needs them.
        """
        if not isinstance(error, Disagreement):
            return None
        asked = sorted({f.endpoint.msp_id for f in self._members.followers if not f.is_behind})
        try:
            verdict = await gateway.disagreement(self.contract, call, organisations=asked)
        except GatewayError:
            return None
        return None if verdict.agreed else verdict

    async def evaluate(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """The answer of `name` at the member's peer, once it has all acknowledged blocks."""
        self._require_open()
        call = [name.encode(), encode(arguments), READ]
        gateway = self._members.gateway(member)
        try:
            return await self._ask(
                gateway,
                lambda endpoint: gateway.evaluate(
                    self.contract,
                    call,
                    transient=transient,
                    organisations=[endpoint.msp_id],
                    endpoint=endpoint,
                ),
            )
        except GatewayError as error:
            raise outcome_of(error) from error

    async def _ask(self, gateway: Gateway, ask: Callable[[Endpoint], Awaitable[T]]) -> T:
        """The answer of the first of a member's peers that is up to date and can be reached."""
        newest = self._newest
        last: GatewayError | None = None
        for endpoint in gateway.endpoints:
            follower = self._members.follower(endpoint)
            if not await follower.reached(newest, within_s=0 if follower.is_behind else LAG_S):
                continue
            try:
                return await ask(endpoint)
            except GatewayError as error:
                if error.outcome is Outcome.REFUSED or not error.repeatable:
                    raise
                last = error
        if last is None:
            raise Invalid(f"no peer has reached block {newest} in time")
        raise last

    # Reading the chain

    async def events(self, *, after: Position | None = None) -> AsyncGenerator[CommittedEvents]:
        """Yield the events after `after`, from the chain and then live."""
        gateway = self._members.reader()
        start = 1 if after is None else max(after.block, 1)
        async with contextlib.aclosing(gateway.blocks(start=start)) as blocks:
            async for block in blocks:
                for committed in committed_events_in(block, self.contract):
                    if after is None or committed.position > after:
                        yield committed

    async def transaction(self, transaction: str) -> Receipt | None:
        """The receipt of a committed transaction, None if it is not committed."""
        self._require_open()
        gateway = self._members.reader()

        async def look(endpoint: Endpoint) -> Receipt | None:
            try:
                block = await gateway.block_of(transaction, endpoint=endpoint)
            except GatewayError as error:
                if UNKNOWN_TRANSACTION in str(error):
                    return None
                raise
            for index, found in enumerate(block.transactions):
                if found.id == transaction and found.valid:
                    return Receipt(transaction, block.number, index, found.result)
            return None

        return await self._looked_up(gateway, look)

    async def block(self, number: int) -> Block | None:
        """The block, None beyond the height."""
        self._require_open()
        gateway = self._members.reader()

        async def look(endpoint: Endpoint) -> Block | None:
            if await gateway.height(endpoint) <= number:
                return None
            return port_block(await gateway.block(number, endpoint=endpoint))

        return await self._looked_up(gateway, look)

    async def _looked_up(self, gateway: Gateway, look: Callable[[Endpoint], Awaitable[T]]) -> T:
        try:
            return await self._ask(gateway, look)
        except GatewayError as error:
            raise outcome_of(error) from error

    async def state_hash(self, *, organisation: str = "") -> str:
        """SHA-256 of the public rows that the contract counts, at a peer of `organisation`.

        Raises `Conflict` when the state changed while it was read.
        """
        self._require_open()
        gateway = self._members.reader(organisation)

        async def read(endpoint: Endpoint) -> str:
            counts = self._contract.counts_in_state_hash
            return await state_hash(gateway, endpoint, self.contract, counts)

        return await self._looked_up(gateway, read)

    async def health(self) -> Health:
        """The network's condition as seen from here; `height` is that of the most advanced peer."""
        height = max((f.height for f in self._members.followers), default=0)
        if self._closed:
            return Health("fabric", height, writable=False, sentence="no writes: closed")
        behind = [f.endpoint.address for f in self._members.followers if f.is_behind]
        told = f"not followed: {', '.join(behind)}" if behind else "all peers are followed"
        writable = len(behind) < len(self._members.followers)
        return Health("fabric", height, writable=writable, sentence=f"ready; {told}")

    async def close(self) -> None:
        """Stop following the peers and close all connections."""
        self._closed = True
        await self._members.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _require_open(self) -> None:
        if self._closed:
            raise Invalid("the ledger is closed")


def _may_have_misled(follower: PeerFollower, error: GatewayError) -> bool:
    """Return whether a peer that lagged behind the acknowledged blocks may have caused a failure.

    A refusal counts only if that peer gave it. A conflict or a disagreement does not say which
    peers took part, so every peer counts that is not known to be behind.
    """
    if error.outcome is Outcome.REFUSED:
        return any(detail.msp_id == follower.endpoint.msp_id for detail in error.details)
    overtaken = error.outcome is Outcome.INVALID or isinstance(error, Disagreement)
    return overtaken and not follower.is_behind


def _passes(error: GatewayError) -> bool:
    """Return whether nothing has changed and the same request may soon succeed."""
    return error.repeatable and isinstance(error, EndorseError | SubmitError)
