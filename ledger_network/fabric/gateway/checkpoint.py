"""The position of a reader of events, and the places where it is stored.

A checkpoint names the last event that was handled, by its block and transaction. It is saved after
the event's effect, so a reader that crashes between the two sees that event again. To rule that
out, store the checkpoint in the same database transaction as the effect.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec


class BadCheckpoint(ValueError):
    """A checkpoint that cannot be read or belongs to another channel."""


class Checkpoint(msgspec.Struct, frozen=True):
    """All events up to this one are handled.

    `block` is the event's block number and `transaction` its id; with "" no event of the block is
    handled yet.
    """

    block: int
    transaction: str = ""


class Checkpointer(Protocol):
    """A place that keeps one checkpoint."""

    def load(self) -> Checkpoint | None:
        """Return what was saved last; None before the first time. Raises `BadCheckpoint`."""
        ...

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep `checkpoint` instead of what was kept."""
        ...


class MemoryCheckpointer:
    """Keeps a checkpoint as long as the process lives."""

    def __init__(self) -> None:
        self._kept: Checkpoint | None = None

    def load(self) -> Checkpoint | None:
        """Return what was saved last; None before the first time."""
        return self._kept

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep `checkpoint` instead of what was kept."""
        self._kept = checkpoint


class FileCheckpointer:
    """Keeps a checkpoint in a file that is never partly written, even after a power failure."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Checkpoint | None:
        """Return what was saved last; None before the first time. Raises `BadCheckpoint`."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Checkpoint)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise BadCheckpoint(f"{self._path} holds no checkpoint: {error}") from error

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the kept checkpoint by `checkpoint`; raises OSError if the disk fails."""
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(checkpoint))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
