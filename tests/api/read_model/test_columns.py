"""Pages by columns: of any fields, what the records of the same page say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from api.features.orders.reads import OrderRecord
from api.features.reads import ReadModel, open_read_model
from api.features.trades.reads import TradeRecord
from api.live.projection import Projection
from api.read_model.database import ReadRefused
from api.read_model.paging import Columns
from api.read_model.records import Page
from tests.api.read_model.life import whole_life
from tests.contract.stage.cast import AREA, DSO, R1, SLOT, did_of
from tests.contract.stage.market import Market

ALL = 500

ByRecords = Callable[[ReadModel, int, str | None], Awaitable[Page[OrderRecord] | Page[TradeRecord]]]
ByColumns = Callable[[ReadModel, Sequence[str], int, str | None], Awaitable[Columns]]


def lists(now_s: int) -> dict[str, tuple[tuple[str, ...], ByRecords, ByColumns]]:
    """Every list that comes by columns, and the fields of its records."""
    seller, buyer = did_of("S"), did_of("B")
    return {
        "orders": (
            OrderRecord._fields,
            lambda m, first, after: m.orders_of(AREA, buyer, now_s=now_s, first=first, after=after),
            lambda m, fields, first, after: m.order_columns(
                AREA, buyer, fields, now_s=now_s, first=first, after=after
            ),
        ),
        "trades": (
            TradeRecord._fields,
            lambda m, first, after: m.trades_of(
                AREA, seller, now_s=now_s, first=first, after=after
            ),
            lambda m, fields, first, after: m.trade_columns(
                AREA, seller, fields, now_s=now_s, first=first, after=after
            ),
        ),
        "trades of a slot": (
            TradeRecord._fields,
            lambda m, first, after: m.trades_of_slot(
                AREA, SLOT, now_s=now_s, first=first, after=after
            ),
            lambda m, fields, first, after: m.slot_trade_columns(
                AREA, SLOT, fields, now_s=now_s, first=first, after=after
            ),
        ),
    }


@pytest.mark.parametrize("name", list(lists(0)))
def test_columns_say_what_the_records_of_the_page_say(market: Market, url: str, name: str) -> None:
    whole_life(market)
    fields, by_records, by_columns = lists(market.clock.now_s)[name]

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            whole = await by_records(reads, ALL, None)
            assert whole.rows
            cuts = [fields, tuple(reversed(fields)), *((field,) for field in fields), ()]
            for first, after in ((ALL, None), (1, None), (ALL, whole.rows[0].cursor)):
                page = await by_records(reads, first, after)
                for cut in cuts:
                    columns = await by_columns(reads, cut, first, after)
                    assert columns.more == page.more
                    assert tuple(columns.of) == cut
                    for field in cut:
                        told = [getattr(record, field) for record in page.rows]
                        assert list(columns.of[field]) == told
            with pytest.raises(ReadRefused):
                await by_columns(reads, fields, 0, None)

    market.run(work())


def test_trades_of_both_sides_come_merged_newest_first(market: Market, url: str) -> None:
    whole_life(market)
    now_s = market.clock.now_s

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            every = (await reads.trades_of_slot(AREA, SLOT, now_s=now_s, first=ALL)).rows
            for did in {trade.buyer for trade in every} | {trade.seller for trade in every}:
                page = await reads.trades_of(AREA, did, now_s=now_s, first=ALL, slot=SLOT)
                own = [trade for trade in every if did in (trade.buyer, trade.seller)]
                assert page.rows == own[::-1]

    market.run(work())


def test_the_retailers_of_traders_are_asked_for_at_once(market: Market, url: str) -> None:
    whole_life(market)
    known = [did_of("S"), did_of("B")]

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            found = await reads.retailers_of([*known, "did:key:z6MkNobody"])
            assert found == dict.fromkeys(known, R1)

    market.run(work())
