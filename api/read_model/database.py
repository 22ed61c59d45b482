"""The database behind the read model: SQLite in a file, or PostgreSQL.

Tortoise holds the connections and applies the migrations. One writer at a time changes rows, in
transactions. Reads do not use the ORM. On PostgreSQL they use Tortoise's pool. On SQLite they use
another connection in the caller's thread, because reading an indexed page takes less time than
handing it to another thread; rows are read again only after a write. Statements mark values by `?`
on both databases.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, Self, cast
from urllib.parse import urlsplit

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # the library has no stubs
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, DBConnectionError, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from api.read_model.row_cache import RowCache
from api.read_model.tables import TABLES

CONNECTION = APP = "read_model"
MODELS = [
    "api.read_model.tables",
    "api.read_model.slot_tables",
    "api.read_model.metering_tables",
    "api.read_model.claim_table",
]
MIGRATIONS = "api.read_model.migrations"
MIGRATIONS_TABLE = "tortoise_migrations"
BUSY_MS = 10_000  # how long a writer of a SQLite file waits for another one
MIGRATE_ATTEMPTS, MIGRATE_AGAIN_S = 10, 0.2
INT64_MAX = 2**63 - 1
SCHEMES = ("sqlite", "postgres", "postgresql")

Value = str | int | bool | None
Row = Sequence[Any]

_PLACE = re.compile(r"\?")
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_FAULTS = (sqlite3.Error, BaseORMException, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class DatabaseUnusable(Exception):
    """The database at the address cannot be used now; the sentence says why."""


class ReadRefused(ValueError):
    """The caller passed an invalid cursor, or a size or number out of bounds."""


class TablesDamaged(Exception):
    """The tables are missing, unreadable or not as they were written; they can be rebuilt."""


UNREADABLE = (DatabaseUnusable, TablesDamaged)
"""The exceptions that say that the read model cannot be read now, whatever the query."""


class Client(Protocol):
    """The methods of Tortoise's clients that are used here."""

    async def execute_many(self, query: str, values: list[Any]) -> None:
        """Execute a statement for each row of values."""
        ...

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[Row]]:
        """Execute a statement; return the number of rows changed, and the rows selected."""
        ...


class Writer:
    """One transaction; it is committed when its block ends without an exception."""

    def __init__(self, client: Client, dialect: str) -> None:
        self._client = client
        self._dialect = dialect

    async def many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Execute `statement` for each of `rows`."""
        await self._client.execute_many(_in_dialect(statement, self._dialect), list(rows))

    async def one(self, statement: str, *values: Value) -> int:
        """Execute `statement`; return the number of rows that it changed."""
        text = _in_dialect(statement, self._dialect)
        changed, _ = await self._client.execute_query(text, list(values))
        return changed


class Database:
    """An open database with the newest layout."""

    def __init__(self, url: str) -> None:
        """Use `open` instead. Raises `DatabaseUnusable` for an invalid address."""
        self.dialect, self._path = _read_url(url)
        self._url = url
        self._context = TortoiseContext()
        self._reader: RowCache | None = None
        self._file: tuple[int, int] | None = None
        self._ready = asyncio.Event()
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open `sqlite:///path`, `sqlite:////absolute/path` or `postgres://…`, and migrate it.

        A SQLite file that cannot be read is removed and made again, because the ledger holds all of
        its data. Raises `DatabaseUnusable`.
        """
        database = cls(url)
        try:
            await database._connect()
        except TablesDamaged:
            await database.recreate()
        return database

    async def rows(self, statement: str, *values: Value) -> Sequence[Row]:
        """Return the selected rows. Raises `ReadRefused`, `TablesDamaged`, `DatabaseUnusable`."""
        if any(isinstance(value, int) and not -INT64_MAX <= value <= INT64_MAX for value in values):
            raise ReadRefused("no row has a number beyond 64 bits")
        if not self._ready.is_set():
            await self._ready.wait()
        try:
            if self._reader is not None:
                return self._reader.read(statement, values)
            text = _in_dialect(statement, self.dialect)
            _, found = await self._client.execute_query(text, list(values))
        except _FAULTS as error:
            raise _translated(error, self._url) from error
        return found

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Writer]:
        """Begin a transaction; an exception in its block rolls it back.

        Raises `TablesDamaged`, `DatabaseUnusable`.
        """
        async with self._writing:
            try:
                with self._context:
                    async with in_transaction(CONNECTION) as client:
                        yield Writer(cast("Client", client), self.dialect)
            except _FAULTS as error:
                raise _translated(error, self._url) from error

    def is_in_place(self) -> bool:
        """Return whether the SQLite file is still the one that was opened; True on PostgreSQL."""
        return self._path is None or _identity(self._path) == self._file

    def require_in_place(self) -> None:
        """Raise `TablesDamaged` if the file was deleted or replaced."""
        if not self.is_in_place():
            raise TablesDamaged("its file was deleted")

    async def reopen(self) -> None:
        """Open the database at the address again, and migrate it. Raises as `open` does."""
        async with self._writing:
            await self._disconnect()
            await self._connect()

    async def recreate(self) -> None:
        """Drop our tables and make them again, empty. Raises `DatabaseUnusable`.

        The health of meters is not on the ledger, so it is kept if it can be read.
        """
        health = await self._readable_health()
        async with self._writing:
            await self._disconnect()
            if self._path is not None:
                _remove(self._path)
            else:
                await self._init()
                with self._context:
                    for table in (*TABLES, MIGRATIONS_TABLE):
                        await self._client.execute_query(f'DROP TABLE IF EXISTS "{table}" CASCADE')
            await self._connect()
        if health:
            async with self.transaction() as writer:
                await writer.many(_INSERT_HEALTH, health)

    async def close(self) -> None:
        """Close all connections."""
        await self._disconnect()

    @property
    def _client(self) -> Client:
        return cast("Client", self._context.db(CONNECTION))

    async def _init(self) -> None:
        with self._context:
            await self._context.init(config=_config(self._url, self._path))

    async def _connect(self) -> None:
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                _require_readable(self._path)
            await self._init()
            await self._migrate()
            if self._path is not None:
                reader = sqlite3.connect(self._path, check_same_thread=False)
                reader.execute("PRAGMA query_only = ON")
                reader.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
                self._reader = RowCache(reader)
                self._file = _identity(self._path)
        except _FAULTS as error:
            await self._disconnect()
            raise _translated(error, self._url) from error
        self._ready.set()

    async def _migrate(self) -> None:
        """Apply missing migrations; try again if another process applies them at the same time."""
        for left in reversed(range(MIGRATE_ATTEMPTS)):
            try:
                with self._context:
                    await MigrationExecutor(self._context.db(CONNECTION), _apps()).migrate()
            except OperationalError:
                if not left:
                    raise
                await asyncio.sleep(MIGRATE_AGAIN_S)
            else:
                return

    async def _disconnect(self) -> None:
        self._ready.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        await self._context.close_connections()

    async def _readable_health(self) -> list[Row]:
        if not self._ready.is_set():
            return []
        try:
            return [tuple(row) for row in await self.rows(_SELECT_HEALTH)]
        except TablesDamaged:
            return []


_SELECT_HEALTH = "SELECT meter, node, state, sentence, at_s, said_ms FROM meter_health"
_INSERT_HEALTH = (
    "INSERT INTO meter_health (meter, node, state, sentence, at_s, said_ms) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


def _apps() -> dict[str, dict[str, Any]]:
    app = {"models": MODELS, "migrations": MIGRATIONS, "default_connection": CONNECTION}
    return {APP: app}


def _config(url: str, path: Path | None) -> dict[str, object]:
    connection: object = url
    if path is not None:
        pragmas: Mapping[str, object] = {
            "journal_mode": "WAL",
            "synchronous": "NORMAL",  # batches lost in a power cut are projected again
            "busy_timeout": BUSY_MS,
        }
        credentials = {"file_path": str(path), **pragmas}
        connection = {"engine": "tortoise.backends.sqlite", "credentials": credentials}
    return {"connections": {CONNECTION: connection}, "apps": _apps()}


def _read_url(url: str) -> tuple[str, Path | None]:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise DatabaseUnusable(f"{_shown(url)}: it begins with one of {', '.join(SCHEMES)}")
    if parts.scheme != "sqlite":
        return "postgres", None
    name = parts.path.removeprefix("/")
    if parts.netloc or not name:
        raise DatabaseUnusable(f"{url}: a file is named as sqlite:///path")
    return "sqlite", Path(name)


def _shown(url: str) -> str:
    """Return the address without its password."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


def _translated(error: Exception, url: str) -> DatabaseUnusable | TablesDamaged:
    """Return the exception that says whether the tables or the connection failed."""
    cause = error.args[0] if isinstance(error, BaseORMException) and error.args else error
    reached = isinstance(error, OperationalError | sqlite3.DatabaseError)
    busy = getattr(cause, "sqlite_errorcode", None) in _BUSY
    if isinstance(error, DBConnectionError) or not reached or busy:
        return DatabaseUnusable(f"{_shown(url)}: {cause}")
    return TablesDamaged(str(cause))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _require_readable(path: Path) -> None:
    """Raise `sqlite3.DatabaseError` for a file that is not SQLite; Tortoise would wait forever."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@lru_cache(maxsize=512)
def _in_dialect(statement: str, dialect: str) -> str:
    """Return the statement, with numbered places for PostgreSQL."""
    if dialect != "postgres":
        return statement
    numbers = iter(range(1, statement.count("?") + 1))
    return _PLACE.sub(lambda _: f"${next(numbers)}", statement)
