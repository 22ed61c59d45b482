"""The port `Ledger`: everything that the floors above see of a ledger, with any engine behind it.

A transaction is submitted by name and arguments. Its caller gets a receipt when the transaction
is committed and durable. There are four failures: `Refused` (the contract refused; nothing
changed), `Conflict` (another transaction was committed first; submit this one again unchanged),
`Invalid` (a policy or an integrity check of the network refused it) and `Unknown` (look the
transaction up by its id before doing anything else).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Protocol, TypeVar

import msgspec

from chaincode.context import Context, Event, Role

T = TypeVar("T")


class Member(msgspec.Struct, frozen=True):
    """The submitter: a member organisation and the role of its user."""

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
        """Decode the answer as `kind`; raises `msgspec.ValidationError` if it does not fit."""
        return _decoder(kind).decode(self.result)


@cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return the decoder of a kind of answer; to make it takes longer than to decode one."""
    return msgspec.json.Decoder(kind)


class CommittedEvents(msgspec.Struct, frozen=True):
    """The events of a committed transaction, with its request and its answer.

    `member` submitted `name` with `arguments`; `result` is the contract's answer. Arguments and
    result are JSON, exactly as in the block. Transient data and private values are never
    included. `time_s` is the transaction time in seconds UTC.
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

    `time_s` is the time of its last transaction, 0 in a block without transactions.
    """

    number: int
    hash: str
    previous: str
    time_s: int
    transactions: list[tuple[str, str]]


class Health(msgspec.Struct, frozen=True):
    """The ledger's condition: engine, height (blocks), whether it takes writes, and a sentence."""

    engine: str
    height: int
    writable: bool
    sentence: str


class Conflict(Exception):
    """Another transaction changed what this one read; submit it again unchanged."""


class Invalid(Exception):
    """The network's policy or integrity checks refused the transaction, not the contract."""


class Unknown(Exception):
    """The outcome is not known: look `transaction` up before doing anything else."""

    def __init__(self, transaction: str, sentence: str) -> None:
        super().__init__(f"{transaction}: {sentence}")
        self.transaction = transaction
        self.sentence = sentence


class RunnableContract(Protocol):
    """A contract as an engine sees it: transactions by name that run on a `Context`."""

    @property
    def name(self) -> str:
        """The contract's name, part of everything that is signed."""
        ...

    @property
    def version(self) -> str:
        """The version that simulates. Envelopes record the version, and no check depends on it."""
        ...

    @property
    def layout(self) -> int:
        """The layout of the contract's rows; a ledger with rows in another layout is not opened."""
        ...

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Run transaction `name` on `context` and return its answer as JSON. Raises `Refused`.

        Several calls may run at once, each in its own thread with its own context.
        """
        ...

    def is_write(self, name: str) -> bool:
        """Return whether transaction `name` may write; raises `Refused` for an unknown name."""
        ...

    def counts_in_state_hash(self, key: str) -> bool:
        """Return whether the row at `key` is part of the state hash."""
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
        """Yield the events after `after` in order, without end; None begins at the first block.

        Each committed transaction with events appears exactly once per iteration.
        """
        ...

    async def transaction(self, transaction: str) -> Receipt | None:
        """The receipt of a committed transaction, None if it is not committed."""
        ...

    async def block(self, number: int) -> Block | None:
        """The block, None beyond the height."""
        ...

    async def health(self) -> Health:
        """The ledger's condition; never raises."""
        ...

    async def close(self) -> None:
        """Finish the transactions in flight, then close files and connections."""
        ...
