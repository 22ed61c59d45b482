"""Chaincode as a service for Fabric peers; knows nothing of energy.

A contract is one function: `Transaction` in, bytes out, `Rejected` for a refusal. `ChaincodeServer`
serves it to any number of peers over mutual TLS.
"""

from chaincode.shim.creator import Creator
from chaincode.shim.faults import (
    MessageTooLarge,
    PeerError,
    ProposalUnreadable,
    Rejected,
    ReplyTimeout,
    SettingsFault,
    ShimFault,
    TransactionOver,
)
from chaincode.shim.private import PrivateCollection
from chaincode.shim.queries import Change, StatePage, StateRow
from chaincode.shim.server import ChaincodeServer
from chaincode.shim.settings import ServerSettings, TlsFiles
from chaincode.shim.transaction import Handler, Transaction

__all__ = [
    "ChaincodeServer",
    "Change",
    "Creator",
    "Handler",
    "MessageTooLarge",
    "PeerError",
    "PrivateCollection",
    "ProposalUnreadable",
    "Rejected",
    "ReplyTimeout",
    "ServerSettings",
    "SettingsFault",
    "ShimFault",
    "StatePage",
    "StateRow",
    "TlsFiles",
    "Transaction",
    "TransactionOver",
]
