"""The state in SQLite: the current rows, and where each block and transaction lies.

Everything here can be rebuilt from the logs. Blocks are applied one at a time, rows and height
in one SQLite transaction; SQLite syncs at checkpoints only, so after a loss of power the state may
be behind the log but never ahead of it. Keys compare by UTF-8 bytes, which is code point order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypeVar

from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.log.block import INDEX_BITS, Outcome
from ledger_network.embedded.log.block_log import BlockPlace
from ledger_network.embedded.log.private_log import Spot

STATE_FORMAT = 1
PAGE_BYTES = 8192
WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 2 * 1024
_BATCH_SIZES = (1, 16, 128, 1024)  # a few fixed sizes, so that SQLite keeps the statements prepared

_SCHEMA = """
CREATE TABLE {0}state (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE {0}private (collection TEXT, key TEXT, hash BLOB NOT NULL, value BLOB,
    version INTEGER NOT NULL, PRIMARY KEY (collection, key)) WITHOUT ROWID;
CREATE INDEX {0}private_without_value ON private (version) WHERE value IS NULL;
CREATE TABLE {0}blocks (number INTEGER PRIMARY KEY, segment INTEGER NOT NULL,
    place INTEGER NOT NULL);
CREATE TABLE {0}transactions (id BLOB PRIMARY KEY, version INTEGER NOT NULL, outcome TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE {0}meta (one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL,
    height INTEGER NOT NULL, hash BLOB NOT NULL, private_block INTEGER NOT NULL);
"""


class Tip(NamedTuple):
    """The progress of a state: the last block, its hash, the last block with private values."""

    height: int
    hash: bytes
    private_block: int


class PrivateRow(NamedTuple):
    """A private value of the state; `value` is None if the log has no value."""

    hash: bytes
    value: bytes | None
    version: int


class Version(NamedTuple):
    """A value and its version; (None, 0) if the row does not exist."""

    value: bytes | None
    version: int


ABSENT = Version(None, 0)

_Bound = TypeVar("_Bound", str, bytes)


@dataclass(slots=True)
class Changes:
    """The changes that one block makes to the state: last writes by key; None deletes."""

    number: int
    hash: bytes
    place: BlockPlace
    writes: dict[str, Version] = field(default_factory=dict[str, Version])
    private: dict[Spot, PrivateRow | None] = field(default_factory=dict[Spot, PrivateRow | None])
    purged: dict[Spot, int] = field(default_factory=dict[Spot, int])
    transactions: list[tuple[str, int, Outcome]] = field(
        default_factory=list[tuple[str, int, Outcome]]
    )
    has_private: bool = False


class StateReader:
    """A connection for reading; between `begin` and `end` it sees one height."""

    def __init__(self, path: Path) -> None:
        self.height = -1
        self._connection = _connect(path, READER_CACHE_KIB)
        self._connection.execute("PRAGMA query_only = ON")

    def begin(self) -> None:
        """Begin to read at the current height."""
        self._connection.execute("BEGIN")
        (self.height,) = self._connection.execute("SELECT height FROM meta").fetchone()

    def end(self) -> None:
        """End reading at that height."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def tip(self) -> Tip:
        """The progress of the state."""
        return _tip(self._connection)

    def rows(self, keys: Sequence[str]) -> dict[str, Version]:
        """Value and version of the `keys` that exist."""
        found: dict[str, Version] = {}
        for batch in _batches(keys):
            marks = ",".join("?" * len(batch))
            query = f"SELECT key, value, version FROM state WHERE key IN ({marks})"  # noqa: S608 marks only
            for key, value, version in self._connection.execute(query, batch):
                found[key] = Version(value, version)
        return found

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes, int]]:
        """Rows with start <= key < end in order, read lazily.

        The traceback of a refusal may hold the rows until after the connection was closed. A
        cursor takes that; a generator around it would close it then, which is an error.
        """
        query = "SELECT key, value, version FROM state WHERE key >= ? AND key < ? ORDER BY key"
        return self._connection.execute(query, (start, end))

    def private_rows(self, collection: str, keys: Sequence[str]) -> dict[str, PrivateRow]:
        """The private values of `keys` that exist."""
        found: dict[str, PrivateRow] = {}
        for batch in _batches(keys):
            marks = ",".join("?" * len(batch))
            query = (
                "SELECT key, hash, value, version FROM private "  # noqa: S608 marks only
                f"WHERE collection = ? AND key IN ({marks})"
            )
            for key, hash_, value, version in self._connection.execute(query, (collection, *batch)):
                found[key] = PrivateRow(hash_, value, version)
        return found

    def all_rows(self) -> Generator[tuple[str, bytes, int]]:
        """Every public row in key order."""
        yield from self._connection.execute("SELECT key, value, version FROM state ORDER BY key")

    def all_private(self) -> Generator[tuple[str, str, bytes, bytes | None, int]]:
        """Every private row in order of collection and key."""
        yield from self._connection.execute(
            "SELECT collection, key, hash, value, version FROM private ORDER BY collection, key"
        )

    def all_transactions(self) -> Generator[tuple[bytes, int, str]]:
        """Every transaction in a block, by id."""
        yield from self._connection.execute(
            "SELECT id, version, outcome FROM transactions ORDER BY id"
        )

    def all_places(self) -> Generator[tuple[int, int, int]]:
        """Every block with its place, in order."""
        yield from self._connection.execute(
            "SELECT number, segment, place FROM blocks ORDER BY number"
        )

    def place_of(self, number: int) -> BlockPlace | None:
        """Return where block `number` lies, None if it is not applied."""
        return _place(self._connection, number)

    def transaction(self, transaction: str) -> tuple[int, int, Outcome] | None:
        """Block, index and outcome of a transaction, None if no block holds it."""
        try:
            raw = bytes.fromhex(transaction)
        except ValueError:
            return None
        row = self._connection.execute(
            "SELECT version, outcome FROM transactions WHERE id = ?", (raw,)
        ).fetchone()
        if row is None:
            return None
        return row[0] >> INDEX_BITS, row[0] & ((1 << INDEX_BITS) - 1), row[1]

    def state_hash(self, counts: Callable[[str], bool]) -> str:
        """SHA-256 over the public rows that count, in key order, lengths before key and value."""
        digest = sha256()
        for key, value, _ in self.all_rows():
            if counts(key):
                raw = key.encode()
                digest.update(len(raw).to_bytes(4, "big") + raw)
                digest.update(len(value).to_bytes(8, "big") + value)
        return digest.hexdigest()

    def copy_to(self, path: Path) -> Tip:
        """Copy the state of one height to a new file, without private values."""
        with closing(_connect(path, READER_CACHE_KIB)) as made:
            made.execute("PRAGMA journal_mode = DELETE")
        connection = self._connection
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("ATTACH ? AS copy", (str(path),))
        try:
            connection.execute("BEGIN")
            for statement in _SCHEMA.format("copy.").split(";")[:-1]:
                connection.execute(statement)
            for table in ("state", "blocks", "transactions", "meta"):
                connection.execute(f"INSERT INTO copy.{table} SELECT * FROM main.{table}")  # noqa: S608 our own names
            connection.execute(
                "INSERT INTO copy.private"
                " SELECT collection, key, hash, NULL, version FROM main.private"
            )
            tip = self.tip()
            connection.execute("COMMIT")
        finally:
            self.end()
            connection.execute("DETACH copy")
            connection.execute("PRAGMA query_only = ON")
        return tip

    def interrupt(self) -> None:
        """Interrupt a long read from another thread; it raises `sqlite3.OperationalError`."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class StateStore:
    """The state open for writing; a ledger has exactly one."""

    def __init__(self, path: Path, *, disk: Disk) -> None:
        """Open the state in `path`; a new one is created at height -1.

        Raises `sqlite3.DatabaseError` if the file is not readable as a state.
        """
        self.path = path
        self._disk = disk
        self._connection = _connect(path, WRITER_CACHE_KIB)
        try:
            self._prepare()
        except sqlite3.DatabaseError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        for pragma in (
            "synchronous = NORMAL",
            "secure_delete = ON",  # a purged value is overwritten and not only unlinked
            "wal_autocheckpoint = 1000",
            "journal_size_limit = 33554432",
        ):
            self._connection.execute(f"PRAGMA {pragma}").fetchone()
        made = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not made:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.format("").split(";")[:-1]:
                self._connection.execute(statement)
            self._connection.execute(
                "INSERT INTO meta VALUES (1, ?, -1, ?, 0)", (STATE_FORMAT, bytes(32))
            )
            self._disk.commit(self._connection)
        (format_,) = self._connection.execute("SELECT format FROM meta").fetchone()
        if format_ != STATE_FORMAT:
            raise sqlite3.DatabaseError(f"a state of format {format_}, not {STATE_FORMAT}")
        self.tip = _tip(self._connection)

    def apply(self, changes: Changes) -> None:
        """Apply the next block atomically."""
        connection = self._connection
        tip = Tip(
            changes.number,
            changes.hash,
            changes.number if changes.has_private else self.tip.private_block,
        )
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write_rows(changes)
            self._write_private(changes)
            connection.execute("INSERT INTO blocks VALUES (?, ?, ?)", (tip.height, *changes.place))
            connection.executemany(
                "INSERT OR IGNORE INTO transactions VALUES (?, ?, ?)",
                [
                    (bytes.fromhex(id_), version, code)
                    for id_, version, code in changes.transactions
                ],
            )
            connection.execute("UPDATE meta SET height = ?, hash = ?, private_block = ?", tip)
            self._disk.commit(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self.tip = tip

    def _write_rows(self, changes: Changes) -> None:
        kept: list[tuple[str, bytes, int]] = []
        gone: list[tuple[str]] = []
        for key, (value, version) in sorted(changes.writes.items()):
            if value is None:
                gone.append((key,))
            else:
                kept.append((key, value, version))
        self._connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", kept)
        self._connection.executemany("DELETE FROM state WHERE key = ?", gone)

    def _write_private(self, changes: Changes) -> None:
        kept: list[tuple[str, str, bytes, bytes | None, int]] = []
        gone: list[Spot] = []
        for spot, row in sorted(changes.private.items()):
            if row is None:
                gone.append(spot)
            else:
                kept.append((*spot, row.hash, row.value, row.version))
        self._connection.executemany("INSERT OR REPLACE INTO private VALUES (?, ?, ?, ?, ?)", kept)
        self._connection.executemany("DELETE FROM private WHERE collection = ? AND key = ?", gone)

    def known(self, transactions: Sequence[str]) -> set[str]:
        """The ids that are already in a block."""
        known: set[str] = set()
        for batch in _batches([bytes.fromhex(id_) for id_ in transactions]):
            marks = ",".join("?" * len(batch))
            query = f"SELECT id FROM transactions WHERE id IN ({marks})"  # noqa: S608 marks only
            known.update(row[0].hex() for row in self._connection.execute(query, batch))
        return known

    def place_of(self, number: int) -> BlockPlace | None:
        """Return where block `number` lies, None if it is not applied."""
        return _place(self._connection, number)

    def fill_private(self, values: Sequence[tuple[bytes, str, str, int]]) -> None:
        """Store private values (value, collection, key, version) beside their hashes."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "UPDATE private SET value = ? WHERE collection = ? AND key = ? AND version = ?", values
        )
        self._disk.commit(self._connection)

    def without_value(self) -> Iterator[tuple[str, str, int]]:
        """Places and versions of private hashes whose value is missing."""
        yield from self._connection.execute(
            "SELECT collection, key, version FROM private WHERE value IS NULL"
        )

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file and empty it; False if readers prevented that."""
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def remove_state(path: Path, *, disk: Disk) -> None:
    """Remove a state, its file first: SQLite ignores a write-ahead log without its file."""
    for name in (path.name, path.name + "-wal", path.name + "-shm", path.name + "-journal"):
        disk.remove(path.with_name(name))


def _connect(path: Path, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _tip(connection: sqlite3.Connection) -> Tip:
    return Tip(*connection.execute("SELECT height, hash, private_block FROM meta").fetchone())


def _batches(items: Sequence[_Bound]) -> Iterator[list[_Bound]]:
    """Batches of a few fixed lengths; the last one is filled by repeating its last item."""
    at = 0
    while at < len(items):
        left = len(items) - at
        size = next((size for size in _BATCH_SIZES if size >= left), _BATCH_SIZES[-1])
        batch = list(items[at : at + size])
        at += len(batch)
        batch += [batch[-1]] * (size - len(batch))
        yield batch


def _place(connection: sqlite3.Connection, number: int) -> BlockPlace | None:
    query = "SELECT segment, place FROM blocks WHERE number = ?"
    row = connection.execute(query, (number,)).fetchone()
    return None if row is None else BlockPlace(*row)
