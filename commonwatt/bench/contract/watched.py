"""The contract, and what each of its transactions has used."""

from __future__ import annotations

import time

import msgspec

from chaincode.context import Context
from chaincode.contract import Contract


class Use(msgspec.Struct, frozen=True):
    """What a transaction has used: seconds in the contract, bytes, written keys and rows read."""

    name: str
    seconds: float
    size: int
    keys: int
    rows: int


class WatchedContract(Contract):
    """The contract; it notes the use of every transaction that it carries out.

    A transaction that the engine simulates again after a conflict is noted again.
    """

    def __init__(self) -> None:
        self.uses: list[Use] = []

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out transaction `name`, and note what it has used if it may write."""
        began = time.perf_counter()
        answer = super().invoke(context, name, arguments)
        if self.is_write(name):
            seconds = time.perf_counter() - began
            use = Use(name, seconds, context.bytes_used, context.writes, context.reads)
            self.uses.append(use)
        return answer

    @property
    def seconds(self) -> float:
        """The seconds of all noted transactions in the contract."""
        return sum(use.seconds for use in self.uses)
