"""Pages, cursors and what is computed on reading."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from api.features.oracle_health.reads import HealthRecord
from api.features.reads import ReadModel, open_read_model
from api.live.projection import Projection
from api.read_model.database import ReadRefused
from api.read_model.records import Page
from tests.api.read_model.life import whole_life
from tests.contract.stage.cast import AREA, DSO, EAST, R1, SLOT, SLOT_S, did_of
from tests.contract.stage.market import Market

ALL = 500
DAY_S = 86_400


class Placed(Protocol):
    """A row that knows where a page goes on after it."""

    @property
    def cursor(self) -> str: ...


List = Callable[[ReadModel, int, str | None], Awaitable[Page[Placed]]]


def lists(now_s: int) -> dict[str, tuple[List, Callable[[ReadModel], Awaitable[int]]]]:
    """Every list that comes in pages, and how it is counted."""
    seller = did_of("S")
    return {
        "slots": (
            lambda m, first, after: m.slots(AREA, first=first, after=after),
            lambda m: m.count_slots(AREA),
        ),
        "orders": (
            lambda m, first, after: m.orders_of(
                AREA, did_of("B"), now_s=now_s, first=first, after=after
            ),
            lambda m: m.count_orders(AREA, did_of("B")),
        ),
        "trades": (
            lambda m, first, after: m.trades_of(
                AREA, seller, now_s=now_s, first=first, after=after
            ),
            lambda m: m.count_trades(AREA, seller),
        ),
        "trades of a slot": (
            lambda m, first, after: m.trades_of_slot(
                AREA, SLOT, now_s=now_s, first=first, after=after
            ),
            lambda m: m.count_trades_of_slot(AREA, SLOT),
        ),
        "postings": (
            lambda m, first, after: m.postings_of(AREA, R1, first=first, after=after),
            lambda m: m.count_postings(AREA, R1),
        ),
        "certificates": (
            lambda m, first, after: m.certificates_of(AREA, seller, first=first, after=after),
            lambda m: m.count_certificates(AREA, seller),
        ),
        "meters": (
            lambda m, first, after: m.meters(AREA, first=first, after=after),
            lambda m: m.count_meters(AREA),
        ),
        "clients": (
            lambda m, first, after: m.clients(AREA, R1, first=first, after=after),
            lambda m: m.count_clients(R1),
        ),
    }  # pyright: ignore[reportReturnType]  # pages of different rows


@pytest.mark.parametrize("name", list(lists(0)))
def test_pages_of_any_size_are_the_whole_list_once(market: Market, url: str, name: str) -> None:
    whole_life(market)
    read, count = lists(market.clock.now_s)[name]

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            whole = await read(reads, ALL, None)
            assert whole.rows
            assert not whole.more
            assert await count(reads) == len(whole.rows)
            for first in (1, 2):
                found: list[Placed] = []
                after: str | None = None
                while True:
                    page = await read(reads, first, after)
                    found += page.rows
                    if not page.more:
                        break
                    after = page.rows[-1].cursor
                assert found == whole.rows
            for cursor in ("", "x", "1.2.3", "-1.5", "9" * 30 + ".x", "1781.x"):
                if name not in ("meters", "clients"):
                    await refused_or_empty(read, reads, cursor)
            with pytest.raises(ReadRefused):
                await read(reads, 0, None)
            with pytest.raises(ReadRefused):
                await read(reads, 501, None)

    market.run(work())


async def refused_or_empty(read: List, reads: ReadModel, cursor: str) -> None:
    """A cursor of nobody's is refused, or stands for a place behind or between rows."""
    try:
        await read(reads, 1, cursor)
    except ReadRefused as refused:
        assert "cursor" in str(refused) or "64 bits" in str(refused)  # noqa: PT017 either outcome is right


def test_depth_adds_up_steps_and_leaves_out_what_is_not_open(market: Market, url: str) -> None:
    market.traders("S", "B", "C")
    market.place(
        """
        who  id  side  price   wh   expires
        S    one sell  100000  500  -
        S    two sell  100000  100  -
        S    two sell  120000  200  -
        S    old sell  130000  200  60
        B    b   buy    90000  400  -
        C    c   buy    90000   50  -
        C    d   buy    95000   70  -
        """
    )
    market.cancel("C", "d")

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            early = await reads.depth(AREA, SLOT, EAST, now_s=0)
            late = await reads.depth(AREA, SLOT, EAST, now_s=market.gate_s())
            assert early.buys == late.buys == [(90_000, 450)]
            assert early.sells == [(100_000, 600), (120_000, 200), (130_000, 200)]
            assert late.sells == [(100_000, 600), (120_000, 200)]

    market.run(work())


def test_amended_order_shows_its_best_step_as_limit(market: Market, url: str) -> None:
    market.traders("S", "B")
    market.place("who id side price wh\nS s sell 100000 500\nB b buy 90000 400")
    market.amend("S", "s", 1, [(120_000, 10), (110_000, 20)])
    market.amend("B", "b", 1, [(80_000, 10), (85_000, 20)])

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            sell = await reads.order(AREA, SLOT, did_of("S"), "s", now_s=0)
            buy = await reads.order(AREA, SLOT, did_of("B"), "b", now_s=0)
            assert sell is not None
            assert buy is not None
            assert (sell.limit_price, sell.quantity_wh, sell.revision) == (110_000, 30, 1)
            assert (buy.limit_price, buy.quantity_wh, buy.revision) == (85_000, 30, 1)
            assert buy.steps == [(80_000, 10), (85_000, 20)]

    market.run(work())


def test_proposal_is_the_median_of_earlier_days_within_certified_power(
    market: Market, url: str
) -> None:
    market.trader("S", power_w=4_000)  # 1,000 Wh a slot

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            for day, export_wh in ((1, 700), (2, 300), (3, 900), (9, 1)):
                start = SLOT - day * DAY_S
                rows = [
                    ("S", start - SLOT_S, start, "oracle", 0, 5_000, 1, 5),
                    ("S", start, start + SLOT_S, "oracle", 0, 5_000 + export_wh, 1, 5),
                ]
                async with reads.database.transaction() as writer:
                    await writer.many(
                        "INSERT INTO reading (meter, slot, boundary, rank, import_wh, export_wh, "
                        "resolution_wh, block) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        rows,
                    )
            assert await reads.proposal("S", SLOT) == ("S", SLOT, 700, 1_000, 3)
            assert await reads.proposal("S", SLOT + SLOT_S) == ("S", SLOT + SLOT_S, 0, 1_000, 0)
            assert await reads.proposal("nobody", SLOT) is None

    market.run(work())


def test_health_is_what_each_node_told_last(market: Market, url: str) -> None:
    told = [
        HealthRecord("S", "node-1", "SILENT", "It does not answer.", 7, 700),
        HealthRecord("S", "node-2", "READ", "It was read.", 8, 600),
    ]
    later = HealthRecord("S", "node-1", "READ", "It was read.", 9, 900)
    delayed = HealthRecord("S", "node-1", "SILENT", "It does not answer.", 10, 899)

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await reads.write_health(told)
            assert await reads.health_of(["S", "B"]) == told
            await reads.write_health([later])
            await reads.write_health([delayed, *told])
            assert await reads.health_of(["S"]) == [later, told[1]]
            assert await reads.last_said_ms("node-1") == 900
            assert await reads.last_said_ms("node-3") == 0

    market.run(work())


def test_trades_and_postings_lead_to_each_other(market: Market, url: str) -> None:
    whole_life(market)
    seller = did_of("S")

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            now_s = market.clock.now_s
            trades = await reads.trades_of_orders(AREA, SLOT, [f"{seller}/s"], now_s=now_s)
            page = await reads.trades_of(AREA, seller, now_s=now_s, first=ALL, slot=SLOT)
            assert trades == sorted(page.rows, key=lambda trade: trade.number)
            numbers = [trade.number for trade in trades]
            lines = await reads.postings_of_trades(AREA, SLOT, numbers, owner=seller)
            assert lines
            assert {line.trade for line in lines} <= set(numbers)
            assert {line.account for line in lines} == {seller}
            assert {line.cause for line in lines} == {"correction-1", "correction-2"}

    market.run(work())
