"""One simulation: what the contract sees of the committed state, and the record of what it read.

All reads of a simulation see one height. The simulation records the version of every key that it
read, absent keys included, and how far it read each range. The committer compares this record with
later changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from identity.keys import SignatureCheck
from ledger_network.embedded.log.private_log import Spot
from ledger_network.embedded.state.hot_rows import HotRows
from ledger_network.embedded.state.state_store import ABSENT, PrivateRow, StateReader


@dataclass(slots=True)
class RangeRead:
    """Rows read from `start` on; `rows` holds every row below `end` with the row's version."""

    start: str
    end: str
    rows: dict[str, int]


@dataclass(slots=True)
class ReadSet:
    """The reads of a simulation at `height`: versions by key (0 for absent), and ranges."""

    height: int
    keys: dict[str, int] = field(default_factory=dict[str, int])
    private: dict[Spot, int] = field(default_factory=dict[Spot, int])
    ranges: list[RangeRead] = field(default_factory=list[RangeRead])


class Simulation:
    """The `StateView` of one transaction, on a reader that has begun."""

    def __init__(
        self,
        reader: StateReader,
        hot: HotRows,
        verify_many: Callable[[Sequence[SignatureCheck]], list[bool]],
    ) -> None:
        self._reader = reader
        self._hot = hot
        self._verify_many = verify_many
        self.reads = ReadSet(reader.height)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Committed values in the order asked, None where absent."""
        height, versions = self.reads.height, self.reads.keys
        values, unknown = self._hot.look(keys, height, versions)
        if unknown:
            asked = list(dict.fromkeys(keys[position] for position in unknown))
            stored = self._reader.rows(asked)
            found = {key: stored.get(key, ABSENT) for key in asked}
            self._hot.learn(found.items(), height)
            for position in unknown:
                key = keys[position]
                values[position], versions[key] = found[key]
        return values

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Committed rows with start <= key < end; rows that were not reached cannot conflict."""
        read = RangeRead(start, start, {})
        self.reads.ranges.append(read)
        for key, value, version in self._reader.range(start, end):
            read.rows[key] = version
            read.end = key + "\0"  # the smallest key above this one
            yield key, value
        read.end = end

    def private_get_many(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """Committed private values, None where absent or purged."""
        rows = self._private(collection, keys)
        return [rows[key].value if key in rows else None for key in keys]

    def private_hashes(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """SHA-256 of committed private values, None where absent or purged."""
        rows = self._private(collection, keys)
        return [rows[key].hash if key in rows else None for key in keys]

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Return whether each signature is valid."""
        return self._verify_many(checks)

    def _private(self, collection: str, keys: Sequence[str]) -> dict[str, PrivateRow]:
        rows = self._reader.private_rows(collection, keys)
        for key in keys:
            self.reads.private[collection, key] = rows[key].version if key in rows else 0
        return rows
