"""A contract service that is not what the members agreed on: started in place of a member's own.

    python odd_contracts.py version | result | readings

`version` says that it is another version, `result` answers otherwise, `readings` is the contract
with a query more: the value of a key of the collection, to see who may read that.
"""

from __future__ import annotations

import sys

import msgspec

from chaincode.context import Context
from chaincode.contract import Contract
from chaincode.metering.readings import COLLECTION
from commonwatt.commands.contract import serve_contract

OTHER_VERSION = "0.9-odd"
READ_KEY = "read_key"


class OtherVersion(Contract):
    """The contract by another version's name."""

    version = OTHER_VERSION


class OtherResult(Contract):
    """A contract that answers each transaction with a blank more."""

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """The answer of the contract, and a blank."""
        return super().invoke(context, name, arguments) + b" "


class WithReadings(Contract):
    """The contract, and a query that gives any member any key of the collection."""

    def is_write(self, name: str) -> bool:
        """The query more writes nothing."""
        return name != READ_KEY and super().is_write(name)

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """The value of a key, null where there is none; all others as they are."""
        if name != READ_KEY:
            return super().invoke(context, name, arguments)
        value = context.private(COLLECTION).get(msgspec.json.decode(arguments, type=str))
        return b"null" if value is None else value


KINDS = {"version": OtherVersion, "result": OtherResult, "readings": WithReadings}


def command(kind: str) -> list[str]:
    """What starts such a service."""
    return [sys.executable, __file__, kind]


if __name__ == "__main__":
    serve_contract(KINDS[sys.argv[1]]())
