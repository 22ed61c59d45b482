"""Copies of the state, taken when a segment is sealed, so that a lost state is soon restored.

A snapshot holds no private values, so a purge need not touch it; they are restored from their own
log. A snapshot is used only with a sidecar that holds its SHA-256, signed with the ledger's key.
Two snapshots are kept. A snapshot that fails is not a fault of the ledger, because the next
snapshot replaces it.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec

from identity.keys import PrivateKey, SignatureCheck, verify
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.log.block_log import digest_of
from ledger_network.embedded.state.state_store import StateReader, remove_state

KEPT = 2
_DOMAIN = b"commonwatt snapshot 1\0"


class _Sidecar(msgspec.Struct, frozen=True):
    height: int
    sha256: str
    signature: str


class Snapshots:
    """Takes snapshots of a state in a thread of its own, one at a time."""

    def __init__(self, folder: Path, state: Path, *, key: PrivateKey, disk: Disk) -> None:
        self.folder = folder
        self._state = state
        self._key = key
        self._disk = disk
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reader: StateReader | None = None
        self._closed = False
        self.fault: str | None = None

    def take(self) -> None:
        """Begin a snapshot, unless another one is in progress."""
        with self._lock:
            if self._closed or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._take, name="snapshot")
            self._thread.start()

    def close(self) -> None:
        """Cancel a running snapshot and wait until its thread has ended."""
        with self._lock:
            self._closed = True
            thread, reader = self._thread, self._reader
            if reader is not None:
                reader.interrupt()
        if thread is not None:
            thread.join()

    def _take(self) -> None:
        fresh = self.folder / "snapshot.new"
        try:
            remove_state(fresh, disk=self._disk)
            with closing(StateReader(self._state)) as reader:
                if not self._begin(reader):
                    return
                try:
                    height = reader.copy_to(fresh).height
                finally:
                    self._end()
            self._store(fresh, height)
        except (OSError, sqlite3.Error) as fault:
            fresh.unlink(missing_ok=True)
            self.fault = None if self._closed else f"the last snapshot failed: {fault}"
        else:
            self.fault = None

    def _begin(self, reader: StateReader) -> bool:
        with self._lock:
            self._reader = None if self._closed else reader
            return not self._closed

    def _end(self) -> None:
        with self._lock:
            self._reader = None

    def _store(self, fresh: Path, height: int) -> None:
        with fresh.open("rb") as file:
            self._disk.sync(file.fileno())
        digest, _ = digest_of(fresh)
        target = self.folder / f"{height:012d}.sqlite"
        self._disk.rename(fresh, target)
        signature = self._key.sign(_message(height, digest))
        sidecar = _Sidecar(height, digest.hex(), signature.hex())
        self._disk.write_whole(_sidecar_of(target), msgspec.json.encode(sidecar))
        for old in sorted(self.folder.glob("*.sqlite"))[:-KEPT]:
            self._disk.remove(_sidecar_of(old))
            self._disk.remove(old)


def heights(folder: Path) -> list[int]:
    """The heights of which there are snapshots with a sidecar, newest first."""
    found = [int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal()]
    return sorted(found, reverse=True)


def good_snapshot(folder: Path, height: int, ledger_key: bytes) -> Path | None:
    """The snapshot of `height` if its bytes match the signed sidecar, else None."""
    path = folder / f"{height:012d}.sqlite"
    try:
        sidecar = msgspec.json.decode(_sidecar_of(path).read_bytes(), type=_Sidecar)
        digest, _ = digest_of(path)
        signature = bytes.fromhex(sidecar.signature)
    except (OSError, ValueError, msgspec.DecodeError):
        return None
    check = SignatureCheck("Ed25519", ledger_key, _message(height, digest), signature)
    return path if sidecar.height == height and verify(check) else None


def _sidecar_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _message(height: int, digest: bytes) -> bytes:
    return _DOMAIN + height.to_bytes(8, "big") + digest
