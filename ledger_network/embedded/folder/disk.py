"""All durable writes of the ledger, in one small object.

Each step that a crash can interrupt is a method here, so that every such point can be reasoned
about and tested. Reads are not here: a crash cannot leave them half done.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


class Disk:
    """Writes, syncs and renames of the real file system. They raise `OSError`."""

    def append(self, handle: int, data: bytes) -> None:
        """Write all of `data` at the end of an open file; not durable before `sync`."""
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]

    def sync(self, handle: int) -> None:
        """Sync an open file: on return, what was written to the file survives a loss of power."""
        os.fdatasync(handle)

    def sync_folder(self, folder: Path) -> None:
        """Sync a folder: names created, renamed or removed there survive a loss of power."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def truncate(self, handle: int, *, length: int) -> None:
        """Cut the file to `length` bytes, durably."""
        os.ftruncate(handle, length)
        os.fsync(handle)

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` by `source`, atomically and durably."""
        source.replace(target)
        self.sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there, durably."""
        path.unlink(missing_ok=True)
        self.sync_folder(path.parent)

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit a transaction of the state; it survives a kill, not always a loss of power."""
        connection.execute("COMMIT")

    def write_whole(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        """Write `data` to the file `path`, atomically and durably."""
        fresh = path.with_name(path.name + ".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            self.append(handle, data)
            self.sync(handle)
        finally:
            os.close(handle)
        self.rename(fresh, path)
