"""The data folder: where each file of a ledger lies, and the lock that keeps other processes out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ledger_network.embedded.folder.faults import LedgerBusy, OtherLedger


class DataFolder:
    """The paths of one ledger's files. The lock is held from `lock` to `unlock`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks = path / "blocks"
        self.private_log = path / "private.log"
        self.state = path / "state.sqlite"
        self.snapshots = path / "snapshots"
        self.ledger_key = path / "ledger.key"
        self.members = path / "members"
        self._lock: int | None = None

    def make(self) -> None:
        """Create missing folders, readable by their owner only."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.blocks, self.snapshots, self.members):
            folder.mkdir(exist_ok=True, mode=0o700)

    def require(self) -> None:
        """Raise `OtherLedger` if there is no ledger here."""
        if not (self.blocks / segment_name(0)).exists():
            raise OtherLedger(f"{self.path} holds no ledger")

    def lock(self) -> None:
        """Lock the folder for this object, or raise `LedgerBusy`."""
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise LedgerBusy(
                f"{self.path} is already open in process {holder}; only one process may open it"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def segment_name(index: int) -> str:
    """The file name of a segment of the block log."""
    return f"{index:08d}.seg"
