"""Bench of the projection: orders per second from ledger events to a read model on SQLite.

The orders are in blocks already; the bench times reading the events, parsing the tokens, and
writing rows and checkpoint.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from api.features.reads import ReadModel, open_read_model
from api.live.projection import Projection
from chaincode.documents.intake import BATCH_TOKENS_MAX
from chaincode.orders.sheets import SheetOrder
from commonwatt.bench.figure import Figure
from commonwatt.bench.market import BenchMarket, bench_market
from commonwatt.demonstration.cast import DSO, SLOT_S

ROUNDS = 5
TRANSACTIONS = 10  # batches of a round, each full of one-order sheets
REACH = 10_000


def project() -> list[Figure]:
    """Measure the projection of ten full batches of orders, several times."""
    return asyncio.run(_project())


async def _project() -> list[Figure]:
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'read-model.sqlite'}"
        async with (
            bench_market(BATCH_TOKENS_MAX) as market,
            await open_read_model(url) as read_model,
        ):
            projection = Projection(market.ledger, DSO, read_model)
            await projection.catch_up()  # warm up: projects the founding and loads all modules
            for number in range(1, ROUNDS + 1):
                await market.place(_sheets(market, number))
                began = time.perf_counter()
                await projection.catch_up()
                rates.append(TRANSACTIONS * BATCH_TOKENS_MAX / (time.perf_counter() - began))
            await _require_all(read_model)
    rate = statistics.median(rates)
    return [
        Figure(
            name="project",
            value=rate,
            unit="orders/s",
            spread=(min(rates), max(rates)),
            against=f"{TRANSACTIONS} transactions of {BATCH_TOKENS_MAX} one-order sheets, SQLite",
            reach=f"at least {REACH:,} orders/s",
            met=rate >= REACH,
        )
    ]


def _sheets(market: BenchMarket, number: int) -> list[str]:
    """Return one round's sheets: every trader's for each of ten slots; set market time."""
    first = market.first_slot + number * TRANSACTIONS * SLOT_S
    market.clock.now_s = first - SLOT_S
    return [
        market.sheet(home, SheetOrder("o1", "buy", slot, [(100_000, 10)]))
        for slot in range(first, first + TRANSACTIONS * SLOT_S, SLOT_S)
        for home in range(BATCH_TOKENS_MAX)
    ]


async def _require_all(read_model: ReadModel) -> None:
    """Raise `RuntimeError` unless the read model has all orders."""
    ((count,),) = await read_model.database.rows("SELECT COUNT(*) FROM order_row WHERE open")
    if count != ROUNDS * TRANSACTIONS * BATCH_TOKENS_MAX:
        raise RuntimeError(f"the read model has {count} of the bench's orders")
