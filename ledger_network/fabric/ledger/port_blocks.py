"""Fabric's blocks as the port shows them."""

from __future__ import annotations

from ledger_network.fabric.gateway import block as fabric
from ledger_network.fabric.ledger.contract_service import decode_events
from ledger_network.port import Block, CommittedEvents, Position


def committed_events_in(block: fabric.Block, contract: str) -> list[CommittedEvents]:
    """The events of a block's valid transactions of the contract, in order."""
    return [
        CommittedEvents(
            Position(block.number, index),
            found.id,
            found.creator,
            found.event_name,
            int(found.seconds),
            _arguments_of(found),
            found.result,
            decode_events(found.event_payload),
        )
        for index, found in enumerate(block.transactions)
        if found.valid and found.chaincode == contract and found.event_payload
    ]


def port_block(block: fabric.Block) -> Block:
    """A block's header and its transactions with their outcome."""
    times = [int(found.seconds) for found in block.transactions]
    return Block(
        number=block.number,
        hash=block.hash.hex(),
        previous=block.previous_hash.hex(),
        time_s=times[-1] if times else 0,
        transactions=[(found.id, found.code) for found in block.transactions],
    )


def _arguments_of(found: fabric.BlockTransaction) -> bytes:
    """Return a call's arguments for the contract, without the transaction's name before them."""
    return found.arguments[1] if len(found.arguments) > 1 else b""
