"""Bench of a slot of the largest units: seconds, transactions and the largest of these.

Runs are cut by constants, so a few hundred traders fill transactions as fully as the greatest area
does. Every unit is as large as the contract takes it: names of 64 characters, as many orders as a trader
may have, and all fee rows, each with its own payee, on every trade and meter. Of each trader one
order is matched, since every trade is posted in more than a thousand lines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec

from chaincode.area.fees import ACCOUNT_MAX, KIND_MAX, ROWS_MAX, FeeRow
from chaincode.area.tariffs import FeesArguments
from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX
from chaincode.orders.order_batch import ORDERS_PER_ROW_MAX
from chaincode.orders.sheets import SheetOrder, Step
from commonwatt.bench.contract.trading import (
    TradingMarket,
    market_of,
    side_of,
    trading_cast,
)
from commonwatt.bench.contract.watched import Use
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import AREA, SLOT_S, Cast, Home

TRADERS = 400
NAME_CHARACTERS = 64
REACH_PERCENT = 80


class LargestMarket(TradingMarket):
    """A market whose traders place as many orders as they may, one of which is matched."""

    def orders_of(self, home: int, slot: int, count: int) -> list[SheetOrder]:
        """Return a household's orders, under the longest names."""
        side = side_of(home)
        away = -1 if side == "buy" else 1
        first = 90_000 if side == "buy" else 110_000  # micro/kWh: no buyer pays what sellers ask
        orders: list[SheetOrder] = []
        for number in range(count):
            limit = first + away * number if number else 100_000  # the first one is matched
            steps: list[Step] = [(limit, 1)]
            name = f"{number:02d}".rjust(NAME_CHARACTERS, "o")
            orders.append(SheetOrder(name, side, slot, steps))
        return orders


def largest(traders: int = TRADERS, *, fee_rows: int = ROWS_MAX) -> list[Figure]:
    """Measure a slot of the largest units, from its orders to its correction."""
    uses, seconds = asyncio.run(_largest(traders, fee_rows))
    return [largest_figure(uses, seconds, traders=traders, fee_rows=fee_rows)]


def largest_figure(uses: Sequence[Use], seconds: float, *, traders: int, fee_rows: int) -> Figure:
    """Return the figure: the greatest part of a limit that a transaction has used."""
    size, keys, rows = (
        max(getattr(use, part) for use in uses) for part in ("size", "keys", "rows")
    )
    parts = [100 * size / BYTES_MAX, 100 * keys / WRITES_MAX, 100 * rows / READS_MAX]
    runs = [use for use in uses if use.name not in ("place_orders", "record_readings")]
    return Figure(
        name="largest",
        value=max(parts),
        unit="%",
        spread=(min(parts), max(parts)),
        against=(
            f"the limits of a transaction; {traders:,} traders, each with {ORDERS_PER_ROW_MAX} "
            f"orders, and {fee_rows} fee rows take {len(runs):,} transactions "
            f"and {seconds:.1f} s from gate to correction; the largest transaction has "
            f"{size:,} bytes, {keys:,} keys, {rows:,} reads"
        ),
        reach=f"under {REACH_PERCENT} %",
        met=max(parts) < REACH_PERCENT,
    )


async def _largest(traders: int, fee_rows: int) -> tuple[list[Use], float]:
    cast = _long_names(traders)
    async with market_of(LargestMarket, cast, orders_each=ORDERS_PER_ROW_MAX) as market:
        fees = FeesArguments(AREA, market.first_slot, _fees(fee_rows))
        await market.submit("set_fees", fees, "admin")
        slot = market.first_slot
        market.contract.uses.clear()
        await market.order(slot)
        await market.skip_to(slot)
        began = time.perf_counter()
        await market.clear(slot)
        await market.measure(slot)
        await market.settle(slot)
        await market.validate(slot, meters=traders)
        await market.correct(slot)
        await market.skip_to(slot + SLOT_S)
        await market.clear(slot + SLOT_S)  # folds all that the slot has appended
        return market.contract.uses, time.perf_counter() - began


def _long_names(traders: int) -> Cast:
    cast = trading_cast(traders)
    return msgspec.structs.replace(cast, homes=[_long_named(home) for home in cast.homes])


def _long_named(home: Home) -> Home:
    return msgspec.structs.replace(home, meter=f"{home.number:05d}".rjust(NAME_CHARACTERS, "m"))


def _fees(count: int) -> list[FeeRow]:
    return [
        FeeRow(
            kind=f"{number:03d}".rjust(KIND_MAX, "k"),
            payee=f"{number:03d}".rjust(ACCOUNT_MAX, "p"),
            rate=10,
            vat_ppm=190_000,
        )
        for number in range(count)
    ]
