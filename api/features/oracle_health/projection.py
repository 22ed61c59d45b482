"""Writes the sets of oracle nodes from events of the ledger."""

from __future__ import annotations

import msgspec

from api.features.event_context import EventContext
from api.read_model.statements import upsert
from chaincode.metering.oracles import OracleArguments, OracleSet
from chaincode.state import encode

PUT_ORACLE = upsert("oracle_set", ["area", "from_slot"], ["oracle"])


def oracle_nodes_set(data: msgspec.Raw, at: EventContext) -> None:
    """Set an area's oracle nodes from a slot on."""
    arguments = msgspec.json.decode(data, type=OracleArguments)
    oracle = OracleSet(nodes=arguments.nodes, faulty_max=arguments.faulty_max)
    at.batch.put(PUT_ORACLE, (arguments.area, arguments.from_slot, encode(oracle).decode()))
