"""Turns a request into a proposal: runs the contract on a view of the state and packs its effects.

This part of a submit runs in several threads at once. Everything that can be done before the
committer's turn (encoding, hashing, signing) is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from chaincode.context import Context
from identity.canonical import encode
from identity.keys import SignatureCheck
from ledger_network.embedded.commit.simulation import ReadSet, Simulation
from ledger_network.embedded.folder.members import Signer
from ledger_network.embedded.log.block import PrivateHash, encode_effects
from ledger_network.embedded.log.envelope import Envelope, seal, transaction_id, transient_hash
from ledger_network.embedded.log.private_log import Spot
from ledger_network.embedded.state.hot_rows import HotRows
from ledger_network.embedded.state.state_store import StateReader
from ledger_network.port import Receipt, RunnableContract


@dataclass(frozen=True, slots=True)
class Request:
    """A member's request. `time_s` is the transaction time; `nonce` is empty for an evaluation."""

    name: str
    arguments: msgspec.Struct
    signer: Signer
    transient: dict[str, bytes]
    time_s: int
    nonce: bytes = b""


@dataclass(slots=True)
class Proposal:
    """A simulated transaction on its way into a block."""

    transaction: str
    envelope: bytes
    signature: bytes
    effects: msgspec.Raw
    writes: dict[str, bytes | None]
    private: dict[Spot, tuple[bytes, bytes] | None]  # value and its hash; None deletes the value
    purged: list[Spot]
    reads: ReadSet
    result: bytes
    receipt: Future[Receipt] = field(default_factory=Future[Receipt])

    def __post_init__(self) -> None:
        # The answer is not cancelled when the caller stops waiting: the transaction still runs.
        self.receipt.set_running_or_notify_cancel()

    @property
    def size(self) -> int:
        """The approximate number of bytes that the proposal takes in the logs."""
        held = sum(len(found[0]) for found in self.private.values() if found)
        return len(self.envelope) + len(memoryview(self.effects)) + held


@dataclass(frozen=True, slots=True)
class Simulator:
    """Runs the contract of one channel for requests; keeps no state between two requests."""

    channel: str
    contract: RunnableContract
    hot: HotRows
    verify_many: Callable[[Sequence[SignatureCheck]], list[bool]]

    def answer(self, reader: StateReader, request: Request) -> bytes:
        """The contract's answer on the reader's state, with a context that may not write."""
        self.contract.is_write(request.name)  # an unknown name is refused before anything else
        arguments = encode(request.arguments)
        view = Simulation(reader, self.hot, self.verify_many)
        context = self._context(
            view, request, transaction=request.name, arguments_bytes=len(arguments), writes=False
        )
        return self.contract.invoke(context, request.name, arguments)

    def propose(self, reader: StateReader, request: Request) -> Proposal:
        """Simulate on the reader's state and pack the effects for the committer."""
        writes = self.contract.is_write(request.name)
        arguments = encode(request.arguments)
        transaction = transaction_id(request.nonce, request.signer.key.public.raw)
        view = Simulation(reader, self.hot, self.verify_many)
        context = self._context(
            view,
            request,
            transaction=transaction,
            arguments_bytes=len(arguments),
            writes=writes,
        )
        result = self.contract.invoke(context, request.name, arguments)
        effects = context.effects()
        private = {
            (spot.collection, spot.key): None if value is None else (value, sha256(value).digest())
            for spot, value in effects.private.items()
        }
        hashes = [
            PrivateHash(*spot, None if found is None else found[1])
            for spot, found in private.items()
        ]
        envelope, signature = self._sealed(request, arguments)
        return Proposal(
            transaction,
            envelope,
            signature,
            encode_effects(effects, hashes, result),
            effects.writes,
            private,
            [(spot.collection, spot.key) for spot in effects.purged],
            view.reads,
            result,
        )

    def _sealed(self, request: Request, arguments: bytes) -> tuple[bytes, bytes]:
        caller = request.signer.caller
        envelope = Envelope(
            channel=self.channel,
            contract=self.contract.name,
            version=self.contract.version,
            name=request.name,
            arguments=arguments,
            transient_hash=transient_hash(request.transient),
            member=caller.member,
            role=caller.role,
            creator=request.signer.key.public.raw,
            nonce=request.nonce,
            time_s=request.time_s,
        )
        return seal(envelope, request.signer.key)

    def _context(
        self,
        view: Simulation,
        request: Request,
        *,
        transaction: str,
        arguments_bytes: int,
        writes: bool,
    ) -> Context:
        return Context(
            view,
            channel=self.channel,
            contract=self.contract.name,
            caller=request.signer.caller,
            transaction=transaction,
            time_s=request.time_s,
            transient=request.transient,
            arguments_bytes=arguments_bytes,
            writes=writes,
        )
