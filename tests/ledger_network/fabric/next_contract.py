"""The contract as a later version would be: told apart by its version, otherwise the same."""

from __future__ import annotations

import sys

from chaincode.contract import Contract
from commonwatt.commands import contract as contract_command

VERSION = "2"


class NextContract(Contract):
    """The contract under its next version."""

    version = VERSION


if __name__ == "__main__":
    contract_command.serve_contract(NextContract())
    sys.exit(0)
