"""The port `Ledger`: all that the floors above see of a ledger, whichever engine is under it.

A transaction is submitted by name and arguments; the receipt comes when it is committed and
durable. Failures are four: `Refused` (the contract said no; nothing changed), `Conflict`
(another transaction was first; may be repeated as it is), `Invalid` (the network's policy or
integrity said no), `Unknown` (the outcome is not known; look it up by the transaction's id
before doing anything else).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeVar

import msgspec

from chaincode.context import Context, Event, Role

T = TypeVar("T")


class Member(msgspec.Struct, frozen=True):
    """Who submits: a member organisation and the role of its user in it."""

    name: str
    role: Role = "client"


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the ledger: block number, then index of the transaction in it."""

    block: int
    index: int


class Receipt(msgspec.Struct, frozen=True):
    """A committed transaction: its id, its place, the contract's answer as JSON."""

    transaction: str
    block: int
    index: int
    result: bytes

    def read(self, kind: type[T]) -> T:
        """The answer as `kind`; raises `msgspec.ValidationError` when it is none."""
        return msgspec.json.decode(self.result, type=kind)


class CommittedEvents(msgspec.Struct, frozen=True):
    """A committed transaction with events, at its place: what was asked, answered and done.

    `member` submitted `name` with `arguments`; `result` is the contract's answer. Both are JSON,
    as they stand in the block. Transient data and private values are never here. `time_s` is
    transaction time, seconds UTC.
    """

    position: Position
    transaction: str
    member: str
    name: str
    time_s: int
    arguments: bytes
    result: bytes
    events: list[Event]


class Block(msgspec.Struct, frozen=True):
    """A block's header and the transactions in it, in order (ids with their outcome).

    `time_s` is the time of its last transaction, 0 where there is none.
    """

    number: int
    hash: str
    previous: str
    time_s: int
    transactions: list[tuple[str, str]]


class Health(msgspec.Struct, frozen=True):
    """How the ledger is: engine, height (blocks), whether it takes writes, and a sentence."""

    engine: str
    height: int
    writable: bool
    sentence: str


class Conflict(Exception):
    """Another transaction changed what this one read; repeat it as it is."""


class Invalid(Exception):
    """Refused by the network's policy or integrity checks, not by the contract."""


class Unknown(Exception):
    """The outcome is not known: look `transaction` up before anything else is done."""

    def __init__(self, transaction: str, sentence: str) -> None:
        super().__init__(f"{transaction}: {sentence}")
        self.transaction = transaction
        self.sentence = sentence


class RunnableContract(Protocol):
    """What an engine runs: transactions by name, on a `Context`. The engine knows no more of it."""

    @property
    def name(self) -> str:
        """The contract's name, part of everything that is signed."""
        ...

    @property
    def version(self) -> str:
        """The version that simulates; it stands in the envelope and decides nothing."""
        ...

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out transaction `name` on `context`; the answer as JSON. Raises `Refused`.

        Several may run at once in threads of their own, each with its own context.
        """
        ...

    def is_write(self, name: str) -> bool:
        """Whether transaction `name` may write; raises `Refused` for an unknown name."""
        ...

    def counts_in_state_hash(self, key: str) -> bool:
        """Whether the row at `key` is part of the state hash."""
        ...


class Ledger(Protocol):
    """One ledger of one channel with one contract."""

    @property
    def channel(self) -> str:
        """The channel's name, part of everything that is signed."""
        ...

    @property
    def contract(self) -> str:
        """The contract's name, part of everything that is signed."""
        ...

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        """Carry out transaction `name`; on return it is committed and durable.

        `transient` never enters a block. Raises `Refused`, `Conflict` (repeatable), `Invalid`,
        `Unknown`.
        """
        ...

    async def evaluate(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """The answer of `name` on the committed state, as JSON; nothing is written."""
        ...

    def events(self, *, after: Position | None = None) -> AsyncIterator[CommittedEvents]:
        """What happened after `after` (None: from the first block), in order, without end.

        Each committed transaction with events appears exactly once per iteration.
        """
        ...

    async def transaction(self, transaction: str) -> Receipt | None:
        """The receipt of a committed transaction, None if no such one is committed."""
        ...

    async def block(self, number: int) -> Block | None:
        """The block, None beyond the height."""
        ...

    async def health(self) -> Health:
        """How the ledger is; never raises."""
        ...

    async def close(self) -> None:
        """Finish what is in flight and let go of files and connections."""
        ...
