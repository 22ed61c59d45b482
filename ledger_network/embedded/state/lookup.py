"""Reads committed receipts, blocks and events from the log."""

from __future__ import annotations

from ledger_network.embedded.folder.faults import DamagedLog
from ledger_network.embedded.log.block import answered, decode_body, events_of
from ledger_network.embedded.log.block_log import BlockLog, StoredBlock
from ledger_network.embedded.log.envelope import open_envelope, transaction_id
from ledger_network.embedded.state.state_store import StateReader
from ledger_network.port import Block, CommittedEvents, Position, Receipt


def receipt_of(reader: StateReader, log: BlockLog, transaction: str) -> Receipt | None:
    """The receipt of a committed transaction, None if it is not committed."""
    found = reader.transaction(transaction)
    if found is None:
        return None
    number, index, _ = found
    write_set = answered(decode_body(_stored(reader, log, number).body)[index])
    return None if write_set is None else Receipt(transaction, number, index, write_set.result)


def block_of(reader: StateReader, log: BlockLog, number: int) -> Block | None:
    """Block `number` with the ids and outcomes in it, None beyond the height."""
    if not 0 <= number <= reader.height:
        return None
    stored = _stored(reader, log, number)
    listed: list[tuple[str, str]] = []
    time_s = 0
    for entry in decode_body(stored.body) if number else []:
        envelope = open_envelope(entry.envelope)
        listed.append((transaction_id(envelope.nonce, envelope.creator), entry.outcome))
        time_s = envelope.time_s
    return Block(number, stored.hash.hex(), stored.previous.hex(), time_s, listed)


def committed_events_in(reader: StateReader, log: BlockLog, number: int) -> list[CommittedEvents]:
    """The transactions of block `number` that have events, in order."""
    found: list[CommittedEvents] = []
    for index, entry in enumerate(decode_body(_stored(reader, log, number).body)):
        write_set = answered(entry)
        if write_set is not None and write_set.events:
            envelope = open_envelope(entry.envelope)
            committed = CommittedEvents(
                Position(number, index),
                transaction_id(envelope.nonce, envelope.creator),
                envelope.member,
                envelope.name,
                envelope.time_s,
                envelope.arguments,
                write_set.result,
                events_of(write_set),
            )
            found.append(committed)
    return found


def _stored(reader: StateReader, log: BlockLog, number: int) -> StoredBlock:
    place = reader.place_of(number)
    if place is None:
        raise DamagedLog(
            log.folder,
            block=number,
            offset=0,
            sentence="the state does not know where the block lies",
        )
    return log.read(place)
