"""Writes the sets of oracle nodes from events of the ledger."""

from __future__ import annotations

import msgspec

from api.features.event_context import EventContext
from api.read_model.statements import upsert
from chaincode.metering.oracles import OracleArguments, OracleSet, RevocationArguments
from chaincode.state import encode

PUT_REVOKED = upsert("revoked_node", ["area", "node"], ["from_s"])
PUT_ORACLE = upsert("oracle_set", ["area", "from_slot"], ["oracle"])


def oracle_nodes_set(data: msgspec.Raw, at: EventContext) -> None:
    """Set an area's oracle nodes from a slot on."""
    arguments = msgspec.json.decode(data, type=OracleArguments)
    oracle = OracleSet(nodes=arguments.nodes, faulty_max=arguments.faulty_max)
    at.batch.put(PUT_ORACLE, (arguments.area, arguments.from_slot, encode(oracle).decode()))


def oracle_node_revoked(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a node's signature counts no more."""
    told = msgspec.json.decode(data, type=RevocationArguments)
    at.batch.put(PUT_REVOKED, (told.area, told.did, told.from_slot))
