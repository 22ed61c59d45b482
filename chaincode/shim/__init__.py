"""Chaincode as a service for Fabric peers, for any contract.

A contract is one function: it takes an `Invocation` and returns bytes, or raises `Rejected` to
refuse. `ChaincodeServer` serves it to any number of peers over mutual TLS.
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
from chaincode.shim.invocation import Handler, Invocation
from chaincode.shim.private import PrivateCollection
from chaincode.shim.queries import Change, RowPage, StoredRow
from chaincode.shim.server import ChaincodeServer
from chaincode.shim.settings import ServerSettings, TlsFiles

__all__ = [
    "ChaincodeServer",
    "Change",
    "Creator",
    "Handler",
    "Invocation",
    "MessageTooLarge",
    "PeerError",
    "PrivateCollection",
    "ProposalUnreadable",
    "Rejected",
    "ReplyTimeout",
    "RowPage",
    "ServerSettings",
    "SettingsFault",
    "ShimFault",
    "StoredRow",
    "TlsFiles",
    "TransactionOver",
]
