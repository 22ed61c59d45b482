"""Ledger events into the read model: orders a second, on SQLite, with everything it costs.

The orders stand in blocks already; what is timed is reading the events, taking the tokens apart,
and writing rows and checkpoint.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from api.read_model.projection import Projection
from api.read_model.reads import ReadModel, open_read_model
from chaincode.orders.sheets import TOKENS_MAX, SheetOrder
from commonwatt.bench.figure import Figure
from commonwatt.bench.market import BenchMarket, bench_market
from commonwatt.demonstration.cast import DSO, SLOT_S

ROUNDS = 5
TRANSACTIONS = 10  # of a round, each a full batch of one-order sheets
REACH = 10_000


def project() -> list[Figure]:
    """Ten full batches of orders into the read model, several times over."""
    return asyncio.run(_project())


async def _project() -> list[Figure]:
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'read-model.sqlite'}"
        async with bench_market(TOKENS_MAX) as market, await open_read_model(url) as read_model:
            projection = Projection(market.ledger, DSO, read_model)
            await projection.catch_up()  # the market's founding, and everything loaded
            for number in range(1, ROUNDS + 1):
                await market.place(_sheets(market, number))
                began = time.perf_counter()
                await projection.catch_up()
                rates.append(TRANSACTIONS * TOKENS_MAX / (time.perf_counter() - began))
            await _require_all(read_model)
    rate = statistics.median(rates)
    return [
        Figure(
            name="project",
            value=rate,
            unit="orders/s",
            spread=(min(rates), max(rates)),
            against=f"{TRANSACTIONS} transactions of {TOKENS_MAX} one-order sheets, SQLite",
            reach=f"at least {REACH:,} orders/s",
            met=rate >= REACH,
        )
    ]


def _sheets(market: BenchMarket, number: int) -> list[str]:
    """One round's sheets: every trader's for each of ten slots; market time comes along."""
    first = market.first_slot + number * TRANSACTIONS * SLOT_S
    market.clock.now_s = first - SLOT_S
    return [
        market.sheet(home, SheetOrder("o1", "buy", slot, [(100_000, 10)]))
        for slot in range(first, first + TRANSACTIONS * SLOT_S, SLOT_S)
        for home in range(TOKENS_MAX)
    ]


async def _require_all(read_model: ReadModel) -> None:
    """A rate of orders that are not there would be none."""
    ((count,),) = await read_model.database.rows("SELECT COUNT(*) FROM order_row WHERE open")
    if count != ROUNDS * TRANSACTIONS * TOKENS_MAX:
        raise RuntimeError(f"the read model has {count} of the bench's orders")
