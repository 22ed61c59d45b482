"""What gate and settlement are compared with: checked signatures, and encoded and decoded rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chaincode.accounts.entries import ENTRIES, settlement_cause
from chaincode.clearing.run import TRADES
from chaincode.settlement.settled_slot import POSTINGS
from chaincode.state import Row, Table, encode, slot_part
from commonwatt.demonstration.cast import AREA
from ledger_network.embedded.folder.data_folder import DataFolder
from ledger_network.embedded.state.state_store import StateReader

MESSAGE_BYTES = 420  # signed bytes of a one-order sheet, about

R = TypeVar("R", bound=Row)


class SlotRows(msgspec.Struct, frozen=True):
    """The stored rows of a settled slot: pages of trades, pages of postings, entries."""

    trades: list[bytes]
    postings: list[bytes]
    entries: list[bytes]

    def counts(self) -> tuple[int, int, int]:
        """How many trades, postings and entries the rows hold."""
        trades = sum(len(TRADES.decode(row).trades) for row in self.trades)
        postings = sum(len(POSTINGS.decode(row).postings) for row in self.postings)
        return trades, postings, len(self.entries)

    def recode(self) -> None:
        """Decode every row and encode it canonically; raise if a row's bytes change."""
        _recode(TRADES, self.trades)
        _recode(POSTINGS, self.postings)
        _recode(ENTRIES, self.entries)


def _recode(table: Table[R], rows: Sequence[bytes]) -> None:
    for row in rows:
        if encode(table.decode(row)) != row:
            raise RuntimeError(f"a row of {table.name} is not canonical")


def slot_rows(folder: Path, slot: int) -> SlotRows:
    """Read the rows of a settled slot, whose entries are not folded yet, from a ledger's state."""
    part, cause = slot_part(slot), f"/{settlement_cause(slot)}/"
    with closing(StateReader(DataFolder(folder).state)) as reader:
        return SlotRows(
            trades=[row for _, row in _below(reader, TRADES.key(AREA, part))],
            postings=[row for _, row in _below(reader, POSTINGS.key(AREA, part))],
            entries=[row for key, row in _below(reader, ENTRIES.key(AREA)) if cause in key],
        )


def _below(reader: StateReader, prefix: str) -> list[tuple[str, bytes]]:
    return [(key, value) for key, value, _ in reader.range(f"{prefix}/", f"{prefix}0")]


def check_signatures(count: int) -> None:
    """Verify `count` Ed25519 signatures with `cryptography` and nothing else.

    OpenSSL is the yardstick of all versions of the project; the contract checks with libsodium.
    """
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, message = key.public_key(), bytes(MESSAGE_BYTES)
    signature = key.sign(message)
    for _ in range(count):
        public.verify(signature, message)  # raises where the signature does not hold


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
