"""Events: each committed transaction once, in order, from any position, then live."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import CommittedEvents, Conflict, Position
from tests.ledger_network.embedded.notebook import Key, Put
from tests.ledger_network.embedded.workbench import NORTH, open_ledger, put_all, run

SMALL = Cut(transactions_max=3, segment_blocks=4)


async def first(
    ledger: EmbeddedLedger, count: int, after: Position | None = None
) -> list[CommittedEvents]:
    """The first `count` events after a position."""
    found: list[CommittedEvents] = []
    events = ledger.events(after=after)
    while len(found) < count:
        found.append(await anext(events))
    return found


def test_an_event_tells_what_happened_where(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            (receipt,) = await put_all(ledger, ("put", Put("a", 7)))
            (happened,) = await first(ledger, 1)

            assert happened.position == Position(receipt.block, receipt.index)
            assert (happened.transaction, happened.name) == (receipt.transaction, "put")
            assert happened.time_s == 1_750_000_000
            assert happened.member == NORTH.name
            assert msgspec.json.decode(happened.arguments, type=Put) == Put("a", 7)
            assert happened.result == receipt.result
            assert [event.name for event in happened.events] == ["put"]
            assert msgspec.json.decode(happened.events[0].data) == {"key": "a", "value": 7}

    run(work())


def test_every_reader_sees_each_committed_transaction_once_while_many_write(
    tmp_path: Path,
) -> None:
    """Readers begin before, during and after the writing; losers of conflicts have no events."""

    async def work() -> None:
        async with open_ledger(tmp_path, cut=SMALL) as ledger:
            committed: set[Position] = set()

            async def add(number: int) -> None:
                try:
                    key = f"k{number % 7}"
                    receipt = await ledger.submit("add", Put(key, 1), member=NORTH)
                except Conflict:
                    return
                committed.add(Position(receipt.block, receipt.index))

            async def listen() -> list[Position]:
                return [happened.position async for happened in ledger.events()]

            readers = [asyncio.create_task(listen()) for _ in range(2)]
            await asyncio.gather(*[add(number) for number in range(100)])
            readers.append(asyncio.create_task(listen()))
            await asyncio.gather(*[add(number) for number in range(100)])
            readers += [asyncio.create_task(listen()) for _ in range(2)]
            expected = sorted(committed)
            await first(ledger, len(expected))
            for reader in readers[-2:]:
                reader.cancel()
            await asyncio.gather(*readers[-2:], return_exceptions=True)
            for at in (0, 1, len(expected) // 2, len(expected) - 2):
                found = await first(ledger, len(expected) - at - 1, after=expected[at])
                assert [happened.position for happened in found] == expected[at + 1 :]
            last = await put_all(ledger, ("put", Put("last", 1)))
            expected.append(Position(last[0].block, last[0].index))
            everything = await first(ledger, len(expected))
            assert [happened.position for happened in everything] == expected
        for found in await asyncio.gather(*readers[:3]):
            assert found == sorted(set(found))
            assert found == expected[: len(found)]

    run(work())


def test_a_reader_that_waits_gets_what_comes(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            reader = asyncio.create_task(first(ledger, 2, after=Position(2, 0)))
            await put_all(ledger, *[("put", Put("a", number)) for number in range(4)])
            found = await reader
            assert [happened.position.block for happened in found] == [3, 4]

    run(work())


def test_a_transaction_without_events_does_not_appear(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            await put_all(ledger, ("put", Put("a", 1)), ("delete", Key("a")), ("put", Put("a", 2)))
            assert [each.position.block for each in await first(ledger, 2)] == [1, 3]

    run(work())


@pytest.mark.parametrize("after", [None, Position(0, 0), Position(1, 0), Position(99, 3)])
def test_closing_ends_the_stream(tmp_path: Path, after: Position | None) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            await put_all(ledger, ("put", Put("a", 1)))

            async def listen() -> int:
                return len([happened async for happened in ledger.events(after=after)])

            reader = asyncio.create_task(listen())
            if after is None or after.block == 0:
                await first(ledger, 1)
        assert await reader <= 1

    run(work())
