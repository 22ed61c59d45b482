"""Reasons why an embedded ledger cannot be opened, each with a sentence for the operator."""

from __future__ import annotations

from pathlib import Path


class LedgerFault(Exception):
    """The ledger in a folder cannot be opened as it is."""


class LedgerBusy(LedgerFault):
    """Another process, or another object of this one, has the folder open."""


class OtherLedger(LedgerFault):
    """The folder holds a ledger, but not the one that was asked for."""


class DamagedLog(LedgerFault):
    """Bytes of the ledger differ from what was written.

    `block` is the first block that cannot be relied on (None if no block can be named), `offset`
    the byte of `file` at which the faulty record begins; `sentence` says what is wrong with it.
    """

    def __init__(self, file: Path, *, block: int | None, offset: int, sentence: str) -> None:
        at = f"{file}, byte {offset}" if block is None else f"{file}, block {block}, byte {offset}"
        super().__init__(f"{at}: {sentence}")
        self.file = file
        self.block = block
        self.offset = offset
        self.sentence = sentence
