"""Rebuilds the state from the logs: write sets are applied; the contract is never run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from ledger_network.embedded.folder.data_folder import DataFolder
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.log.chain import check_chain
from ledger_network.embedded.recovery.start import bring_up
from ledger_network.embedded.state.snapshots import heights
from ledger_network.embedded.state.state_store import StateReader, StateStore, remove_state


class Rebuilt(msgspec.Struct, frozen=True):
    """The result of a rebuild: number of blocks (block 0 included), rows, and the state's hash.

    `state_hash` is None if the caller did not say which keys count.
    """

    blocks: int
    rows: int
    state_hash: str | None


def rebuild(
    path: Path, *, counts: Callable[[str], bool] | None = None, disk: Disk | None = None
) -> Rebuilt:
    """Check the log in `path` and rebuild the state beside the old one, then replace the old one.

    `counts` says which keys are part of the state hash. Raises `LedgerBusy` if the ledger is open,
    `OtherLedger` if there is none, `DamagedLog` if the logs are damaged.
    """
    disk, folder = disk or Disk(), DataFolder(path)
    folder.require()
    folder.lock()
    with ExitStack() as undo:
        undo.callback(folder.unlock)
        chain = check_chain(folder, held=-1, durable=max([-1, *heights(folder.snapshots)]))
        fresh = folder.state.with_name("state.new")
        remove_state(fresh, disk=disk)
        with closing(StateStore(fresh, disk=disk)) as store:
            bring_up(folder, chain, store, None)
            store.checkpoint()
        remove_state(folder.state, disk=disk)
        disk.rename(fresh, folder.state)
        with closing(StateReader(folder.state)) as reader:
            return Rebuilt(
                blocks=chain.height + 1,
                rows=sum(1 for _ in reader.all_rows()),
                state_hash=None if counts is None else reader.state_hash(counts),
            )
