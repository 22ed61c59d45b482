"""Decides whether a simulated transaction may still commit: nothing that it read may have changed.

The committer keeps what recent blocks wrote, back to the height of the oldest simulation in flight.
A key conflicts if its version is not the one read. A range conflicts if a key was added, changed or
removed in the part of the range that was read. Earlier transactions of the same block count too.
Versions are compared, not values: writing the same value again conflicts, as on Fabric.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ledger_network.embedded.commit.simulation import RangeRead, ReadSet
from ledger_network.embedded.log.block import INDEX_BITS, Outcome
from ledger_network.embedded.log.private_log import Spot

_Key = TypeVar("_Key", str, Spot)

KEYS_MAX = 200_000  # written keys remembered; a simulation older than the oldest of them conflicts


@dataclass(slots=True)
class _Layer:
    """Keys that one block wrote; the public ones are sorted when a range is checked."""

    number: int
    keys: list[str] = field(default_factory=list[str])
    spots: list[Spot] = field(default_factory=list[Spot])
    is_sorted: bool = True

    def within(self, start: str, end: str) -> list[str]:
        """The public keys with start <= key < end."""
        if not self.is_sorted:
            self.keys.sort()
            self.is_sorted = True
        return self.keys[bisect_left(self.keys, start) : bisect_left(self.keys, end)]


class RecentWrites:
    """The writes of the last blocks, and the check of a read set against them."""

    def __init__(self, height: int) -> None:
        self._floor = height  # the writes of all blocks above this height are kept
        self._layers: deque[_Layer] = deque()
        # Versions by key; a deletion has the negative version of the deleting transaction.
        self._keys: dict[str, int] = {}
        self._spots: dict[Spot, int] = {}

    def begin_block(self, number: int) -> None:
        """Begin block `number`, to which further calls of `add` belong."""
        self._layers.append(_Layer(number))

    def drop_block(self) -> None:
        """Forget that the newest block was begun; call this once no further block commits."""
        self._layers.pop()

    def check(self, reads: ReadSet) -> Outcome:
        """Return VALID, or the reason why the transaction conflicts."""
        if reads.height < self._floor:
            return "MVCC_READ_CONFLICT"
        current = self._keys
        for key in reads.keys.keys() & current.keys():
            if max(current[key], 0) != reads.keys[key]:
                return "MVCC_READ_CONFLICT"
        for spot in reads.private.keys() & self._spots.keys():
            if max(self._spots[spot], 0) != reads.private[spot]:
                return "MVCC_READ_CONFLICT"
        if any(self._has_phantom(read, reads.height) for read in reads.ranges):
            return "PHANTOM_READ_CONFLICT"
        return "VALID"

    def add(
        self, version: int, writes: Mapping[str, bytes | None], spots: Mapping[Spot, bool]
    ) -> None:
        """Add the writes of a valid transaction; `spots` says whether each private value exists."""
        layer = self._layers[-1]
        layer.keys.extend(writes)
        layer.is_sorted = False
        layer.spots.extend(spots)
        for key, value in writes.items():
            self._keys[key] = -version if value is None else version
        for spot, is_there in spots.items():
            self._spots[spot] = version if is_there else -version

    def forget(self, oldest_in_flight: int) -> None:
        """Drop the writes that no simulation at `oldest_in_flight` or above can conflict with."""
        while self._layers and (
            self._layers[0].number <= oldest_in_flight
            or len(self._keys) + len(self._spots) > KEYS_MAX
        ):
            layer = self._layers.popleft()
            self._floor = layer.number
            _drop(self._keys, layer.keys, layer.number)
            _drop(self._spots, layer.spots, layer.number)

    def _has_phantom(self, read: RangeRead, height: int) -> bool:
        for layer in reversed(self._layers):
            if layer.number <= height:
                return False
            for key in layer.within(read.start, read.end):
                if max(self._keys[key], 0) != read.rows.get(key, 0):
                    return True
        return False


def _drop(versions: dict[_Key, int], keys: Iterable[_Key], block: int) -> None:
    for key in keys:
        if abs(versions.get(key, 0)) >> INDEX_BITS == block:
            del versions[key]
