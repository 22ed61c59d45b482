"""Chaincode as a service for Fabric peers, for any contract.

A contract is one function: it takes an `Invocation` and returns bytes, or raises `Rejected` to
refuse. `ChaincodeServer` serves it to any number of peers over mutual TLS.
"""

from chaincode.shim.calls.creator import Creator
from chaincode.shim.calls.invocation import Handler, Invocation
from chaincode.shim.calls.private import PrivateCollection
from chaincode.shim.calls.queries import Change, RowPage, StoredRow
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
from chaincode.shim.serving.server import ChaincodeServer
from chaincode.shim.serving.settings import ServerSettings, TlsFiles

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
