"""Exports the log as JSON, one object per block, for other tools.

Private values are not in the blocks and are never exported. Arguments, values, events and results
are exported as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec

from ledger_network.embedded.folder.data_folder import DataFolder
from ledger_network.embedded.log.block import Entry, WriteSet, write_sets
from ledger_network.embedded.log.block_log import StoredBlock
from ledger_network.embedded.log.chain import blocks_above, check_chain
from ledger_network.embedded.log.envelope import open_envelope, transaction_id
from ledger_network.embedded.recovery.replay import entries_of


def export(path: Path) -> Iterator[dict[str, object]]:
    """The blocks of the ledger in `path`, block 0 first; the log is checked beforehand.

    The iterator holds the folder's lock until it is exhausted or closed. Raises `LedgerBusy`, `OtherLedger`,
    `DamagedLog`.
    """
    folder = DataFolder(path)
    folder.require()
    folder.lock()
    try:
        chain = check_chain(folder, held=-1, durable=-1)
        for block in blocks_above(folder, chain, -1):
            shown: dict[str, object] = {
                "block": block.number,
                "hash": block.hash.hex(),
                "previous": block.previous.hex(),
            }
            if block.number == 0:
                genesis = chain.genesis
                shown["channel"] = genesis.channel
                shown["contract"] = genesis.contract
                shown["ledger_key"] = genesis.ledger_key.hex()
                shown["members"] = [
                    {"member": each.member, "role": each.role, "key": each.key.hex()}
                    for each in genesis.members
                ]
            shown["transactions"] = _transactions(block, entries_of(block, folder.blocks))
            yield shown
    finally:
        folder.unlock()


def _transactions(block: StoredBlock, entries: list[Entry]) -> list[dict[str, object]]:
    effects = dict(write_sets(entries))
    return [
        _transaction(block.number, index, entry, effects.get(index))
        for index, entry in enumerate(entries)
    ]


def _transaction(
    block: int, index: int, entry: Entry, write_set: WriteSet | None
) -> dict[str, object]:
    envelope = open_envelope(entry.envelope)
    shown: dict[str, object] = {
        "transaction": transaction_id(envelope.nonce, envelope.creator),
        "block": block,
        "index": index,
        "outcome": entry.outcome,
        "name": envelope.name,
        "member": envelope.member,
        "role": envelope.role,
        "time_s": envelope.time_s,
        "version": envelope.version,
        "arguments": _json(envelope.arguments),
        "transient_sha256": envelope.transient_hash.hex(),
        "signature": entry.signature.hex(),
    }
    if write_set is not None:
        shown["writes"] = {key: _json(value) for key, value in write_set.writes.items()}
        shown["private_sha256"] = [
            {
                "collection": each.collection,
                "key": each.key,
                "sha256": None if each.hash is None else each.hash.hex(),
            }
            for each in write_set.private
        ]
        shown["purged"] = [list(spot) for spot in write_set.purged]
        shown["events"] = [{"name": name, "data": _json(data)} for name, data in write_set.events]
        shown["result"] = _json(write_set.result)
    return shown


def _json(raw: bytes | None) -> object:
    """The value as JSON, or as hexadecimal text if it is not JSON, which the ledger allows."""
    if raw is None:
        return None
    try:
        return cast("object", msgspec.json.decode(raw))
    except msgspec.DecodeError:
        return {"hex": raw.hex()}
