"""Keeps frequently read rows in memory, within a bound.

There are two generations. Reads fill the young one; when it is full, it replaces the old one. So a
row that is read at least once per generation stays. A row is valid for every reader whose height is
at least the row's `since`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from ledger_network.embedded.log.block import INDEX_BITS
from ledger_network.embedded.state.state_store import Version

BYTES_MAX = 64 * 1024 * 1024  # of both generations together, including Python's overhead
VALUE_BYTES_MAX = 64 * 1024
_WEIGHT = 300  # bytes of an entry without its value: key, tuple, integers, the dictionary's slot


Row = tuple[bytes | None, int, int]
"""A value, its version, and the block since which it has been unchanged.

A plain tuple: Python's collector of cycles goes through named ones again and again.
"""


class HotRows:
    """A bounded cache of rows, correct for every reader that states its height."""

    def __init__(self, height: int) -> None:
        self._lock = threading.Lock()
        self._height = height
        self._young: dict[str, Row] = {}
        self._old: dict[str, Row] = {}
        self._young_bytes = 0

    def look(
        self, keys: Sequence[str], height: int, versions: dict[str, int]
    ) -> tuple[list[bytes | None], list[int]]:
        """Values of `keys` as of `height`, and the positions of the keys that are not cached.

        The versions of the cached values are put into `versions`.
        """
        young, old = self._young, self._old  # a swap in the meantime does no harm
        values: list[bytes | None] = []
        unknown: list[int] = []
        for position, key in enumerate(keys):
            row = young.get(key)
            if row is None and (row := old.get(key)) is not None and row[2] <= height:
                self._keep(key, row)
            if row is None or row[2] > height:
                unknown.append(position)
                values.append(None)
            else:
                values.append(row[0])
                versions[key] = row[1]
        return values, unknown

    def learn(self, rows: Iterable[tuple[str, Version]], height: int) -> None:
        """Keep rows read at `height`, unless a later block has been applied since."""
        with self._lock:
            if height == self._height:
                for key, (value, version) in rows:
                    since = version >> INDEX_BITS if version else height
                    self._put(key, (value, version, since))

    def advance(self, writes: Mapping[str, Version], height: int) -> None:
        """Keep the writes of block `height`, which is being applied."""
        with self._lock:
            self._height = height
            for key, (value, version) in writes.items():
                self._old.pop(key, None)
                replaced = self._young.pop(key, None)
                if replaced is not None:
                    self._young_bytes -= _bytes_of(replaced)
                self._put(key, (value, 0 if value is None else version, height))

    def _keep(self, key: str, row: Row) -> None:
        with self._lock:
            if self._old.get(key) is row:
                self._put(key, row)

    def _put(self, key: str, row: Row) -> None:
        size = _bytes_of(row)
        if size > VALUE_BYTES_MAX:
            return
        self._young_bytes += size
        self._young[key] = row
        if self._young_bytes > BYTES_MAX // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0


def _bytes_of(row: Row) -> int:
    return _WEIGHT + (len(row[0]) if row[0] else 0)
