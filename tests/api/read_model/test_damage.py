"""A read model that is not this ledger's, or is broken, is found, named and rebuilt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

from api.features.oracle_health.reads import HealthRecord
from api.features.reads import ReadModel, open_read_model
from api.live.projection import Changed, Projection
from api.read_model.database import DatabaseUnusable
from ledger_network.port import Ledger
from tests.api.read_model.life import correct, tables_of, trade_and_settle
from tests.contract.stage.cast import DSO
from tests.contract.stage.market import Market

DEADLINE_S = 30
HEALTH = HealthRecord("S", "node-1", "SILENT", "It does not answer.", 7, 700)


class Other:
    """The same ledger seen under other names, or with fewer or other blocks."""

    def __init__(self, ledger: Ledger, **changed: object) -> None:
        self._ledger = ledger
        self._changed = changed

    def __getattr__(self, name: str) -> object:
        return self._changed.get(name) or getattr(self._ledger, name)


async def filled(market: Market, url: str) -> dict[str, list[tuple[object, ...]]]:
    """A read model that has caught up; what it holds."""
    async with await open_read_model(url) as reads:
        await Projection(market.ledger, DSO, reads).catch_up()
        await reads.write_health([HEALTH])
        return await tables_of(reads.database)


async def caught_up(ledger: Ledger, url: str) -> tuple[list[str], ReadModel]:
    """Start again on `ledger`; the notices, and the read model, closed by the caller."""
    reads = await open_read_model(url)
    projection = Projection(ledger, DSO, reads, lag_s=0)
    async with asyncio.timeout(DEADLINE_S):
        await projection.catch_up()
    return projection.notices, reads


def expect(market: Market, url: str, ledger: Ledger, said: str) -> None:
    """The read model is rebuilt with a sentence, and holds what it held."""

    async def work() -> None:
        expected = await tables_before()
        notices, reads = await caught_up(ledger, url)
        async with reads:
            assert len(notices) == 1
            assert said in notices[0]
            rows = await tables_of(reads.database)
            del expected["checkpoint"], rows["checkpoint"]
            assert rows == expected

    async def tables_before() -> dict[str, list[tuple[object, ...]]]:
        async with await open_read_model(url) as reads:
            return await tables_of(reads.database)

    market.run(work())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"channel": "elsewhere"}, "it held commonwatt on testing"),
        ({"contract": "other"}, "this is other on testing"),
    ],
)
def test_another_ledgers_tables_are_built_anew(
    market: Market, url: str, changed: dict[str, str], said: str
) -> None:
    trade_and_settle(market)
    market.run(filled(market, url))

    expect(market, url, cast("Ledger", Other(market.ledger, **changed)), said)


@pytest.mark.parametrize(("trades", "said"), [(False, "the ledger has"), (True, "is another one")])
def test_chain_that_is_shorter_or_another_one_is_found(
    market: Market, other_market: Market, url: str, *, trades: bool, said: str
) -> None:
    """A ledger that was made again under the same names, shorter at first, then as long."""
    trade_and_settle(market)
    market.run(filled(market, url))
    if trades:
        trade_and_settle(other_market)
        for _ in range(10):
            other_market.credit("S", 1)  # a block each, so that no other number of blocks tells

    async def work() -> None:
        notices, reads = await caught_up(other_market.ledger, url)
        async with reads:
            assert len(notices) == 1
            assert said in notices[0]
            rows = await tables_of(reads.database)
            await Projection(other_market.ledger, DSO, reads).rebuild()
            assert await tables_of(reads.database) == rows
            assert bool(rows["trade"]) == trades

    other_market.run(work())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE checkpoint SET layout = 0", "its layout is 0"),
        (
            "ALTER TABLE posting DROP COLUMN rule; UPDATE checkpoint SET layout = 2",
            "its layout is 2",  # a file of the version before
        ),
        ("DROP TABLE trade", "trade"),
        ("DROP TABLE checkpoint", "checkpoint"),
    ],
)
def test_tables_changed_by_hand_are_built_anew(
    market: Market, url: str, statement: str, said: str
) -> None:
    """What the oracle told of meters is not on the ledger and stays."""
    trade_and_settle(market)
    market.run(filled(market, url))

    async def harm() -> None:
        async with await open_read_model(url) as reads, reads.database.transaction() as writer:
            for each in statement.split("; "):
                await writer.one(each)

    async def again() -> None:
        notices, reads = await caught_up(market.ledger, url)
        async with reads:
            assert len(notices) == 1
            assert said in notices[0]
            rows = await tables_of(reads.database)
            await Projection(market.ledger, DSO, reads).rebuild()
            assert await tables_of(reads.database) == rows
            assert await reads.health_of(["S"]) == [HEALTH]

    market.run(harm())
    correct(market)
    market.run(again())


def test_database_that_was_deleted_is_built_again(market: Market, sqlite: str) -> None:
    trade_and_settle(market)
    expected = market.run(filled(market, sqlite))
    delete(sqlite)

    assert market.run(filled(market, sqlite)) == expected


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(4096)]
)
def test_file_that_is_no_database_is_built_again(
    market: Market, sqlite: str, content: bytes
) -> None:
    trade_and_settle(market)
    expected = market.run(filled(market, sqlite))
    delete(sqlite)
    Path(urlsplit(sqlite).path[1:]).write_bytes(content)

    assert market.run(filled(market, sqlite)) == expected


def test_older_copy_goes_on_from_where_it_was(market: Market, sqlite: str) -> None:
    market.traders("Z")
    market.run(filled(market, sqlite))
    path = Path(urlsplit(sqlite).path[1:])
    copy = path.read_bytes()
    trade_and_settle(market)
    expected = market.run(filled(market, sqlite))
    path.write_bytes(copy)

    async def work() -> None:
        notices, reads = await caught_up(market.ledger, sqlite)
        async with reads:
            assert notices == []
            assert await tables_of(reads.database) == expected

    market.run(work())


def test_deleted_while_running_it_is_built_again_and_read_again(
    market: Market, sqlite: str
) -> None:
    trade_and_settle(market)

    async def work() -> None:
        async with await open_read_model(sqlite) as reads:
            projection = Projection(market.ledger, DSO, reads)
            running = asyncio.create_task(projection.run())
            async with asyncio.timeout(DEADLINE_S):
                await projection.rebuild()
                expected = await tables_of(reads.database)
                last, is_again = projection.position, asyncio.Event()

                def hear(change: Changed) -> None:
                    if change.position == last:
                        is_again.set()

                projection.subscribe(hear)
                delete(sqlite)
                await is_again.wait()
            assert await tables_of(reads.database) == expected
            assert any("deleted" in notice for notice in projection.notices)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    market.run(work())


def delete(url: str) -> None:
    """Delete a SQLite file, with what stands beside it."""
    path = Path(urlsplit(url).path[1:])
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def test_tables_dropped_while_running_are_built_again(market: Market, url: str) -> None:
    trade_and_settle(market)

    async def work() -> None:
        async with await open_read_model(url) as reads:
            projection = Projection(market.ledger, DSO, reads)
            await projection.catch_up()
            expected = await tables_of(reads.database)
            async with reads.database.transaction() as writer:
                await writer.one("DROP TABLE account")
            await projection.rebuild()
            assert await tables_of(reads.database) == expected

    market.run(work())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://host/x", "begins with one of sqlite"),
        ("sqlite://relative", "sqlite:///path"),
        ("sqlite:///", "sqlite:///path"),
        ("postgres://me:secret@/x?host=/nowhere", "me:…@"),
    ],
)
def test_unusable_address_is_named_without_its_password(
    market: Market, address: str, said: str
) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        market.run(open_read_model(address))

    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
