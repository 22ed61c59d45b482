"""Bench of a full gate: close, reveal, fold a settled slot and clear, against bare verification."""

from __future__ import annotations

import asyncio
import statistics
import time

import msgspec

from commonwatt.bench.contract.trading import (
    ORDERS_EACH,
    TRADERS,
    TradingMarket,
    trading_market,
)
from commonwatt.bench.contract.yardsticks import check_signatures, seconds
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import SLOT_S

ROUNDS = 5
EVERY_S = 4 * SLOT_S  # from one traded slot to the next, which opens after the first has settled
REACH = 1.5


class GateTime(msgspec.Struct, frozen=True):
    """Seconds of a gate on the ledger, of which in the contract, and of the bare verification."""

    ledger_s: float
    contract_s: float
    bare_s: float

    @property
    def ratio(self) -> float:
        """The gate against the verification."""
        return self.ledger_s / self.bare_s


def gate(traders: int = TRADERS, *, rounds: int = ROUNDS) -> list[Figure]:
    """Compare a gate with a settled slot to fold with verifying as many signatures as orders."""
    return [gate_figure(asyncio.run(_gates(traders, rounds)), orders=traders * ORDERS_EACH)]


def gate_figure(times: list[GateTime], *, orders: int) -> Figure:
    """Return the figure of the gates of one run."""
    ratios = [one.ratio for one in times]
    value = statistics.median(ratios)
    ledger_s = statistics.median(one.ledger_s for one in times)
    contract_s = statistics.median(one.contract_s for one in times)
    return Figure(
        name="gate",
        value=value,
        unit="x",
        spread=(min(ratios), max(ratios)),
        against=(
            f"verifying {orders:,} signatures on one core; {ledger_s:.2f} s on the ledger, "
            f"{contract_s:.2f} s of it in the contract"
        ),
        reach=f"at most {REACH:g} x",
        met=value <= REACH,
    )


async def _gates(traders: int, rounds: int) -> list[GateTime]:
    times: list[GateTime] = []
    async with trading_market(traders) as market:
        for number in range(rounds + 1):
            slot = market.first_slot + number * EVERY_S
            measured = await gate_at(market, slot)
            if number:  # the first gate has no settled slot to fold
                times.append(measured)
            await market.measure(slot)
            await market.settle(slot)
    return times


async def gate_at(market: TradingMarket, slot: int) -> GateTime:
    """Let all households order in a slot, and measure its gate."""
    await market.order(slot)
    await market.skip_to(slot)
    market.contract.uses.clear()
    began = time.perf_counter()
    await market.clear(slot)
    ledger_s = time.perf_counter() - began
    orders = 2 * market.trades
    bare_s = await asyncio.to_thread(lambda: seconds(lambda: check_signatures(orders)))
    return GateTime(ledger_s, market.contract.seconds, bare_s)
