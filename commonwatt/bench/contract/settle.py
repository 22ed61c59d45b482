"""Benches of settlement and correction: against encoding the rows, for ten times as many, of 1 %."""

from __future__ import annotations

import asyncio
import statistics
import time

import msgspec

from commonwatt.bench.contract.gate import EVERY_S
from commonwatt.bench.contract.trading import (
    ORDERS_EACH,
    TRADERS,
    TradingMarket,
    trading_market,
)
from commonwatt.bench.contract.yardsticks import seconds, slot_rows
from commonwatt.bench.figure import Figure

ROUNDS = 5
TIMES = 10
GROWN_ROUNDS = 2  # founding the larger market takes much longer than settling it
CORRECTED_PERCENT = 1
REACH = 12.0
GROWTH_REACH = 11.0
CORRECT_REACH = 0.1


class SettleTime(msgspec.Struct, frozen=True):
    """Seconds of a settlement, of which in the contract, and of encoding and decoding its rows."""

    ledger_s: float
    contract_s: float
    bare_s: float

    @property
    def ratio(self) -> float:
        """The settlement against encoding and decoding."""
        return self.ledger_s / self.bare_s


def settle(traders: int = TRADERS, *, rounds: int = ROUNDS) -> list[Figure]:
    """Compare a settlement to committed entries with recoding its trades, postings and entries."""
    times, counts = asyncio.run(_settlements(traders, rounds))
    return [settle_figure(times, counts)]


def settle_figure(times: list[SettleTime], counts: tuple[int, int, int]) -> Figure:
    """Return the figure of the settlements of one run."""
    ratios = [one.ratio for one in times]
    ledger_s = statistics.median(one.ledger_s for one in times)
    contract_s = statistics.median(one.contract_s for one in times)
    trades, postings, entries = counts
    return _at_most(
        "settle",
        ratios,
        against=(
            f"encoding and decoding {trades:,} trades, {postings:,} postings and {entries:,} "
            f"entries; {ledger_s:.2f} s on the ledger, {contract_s:.2f} s of it in the contract"
        ),
        reach=REACH,
    )


async def _settlements(traders: int, rounds: int) -> tuple[list[SettleTime], tuple[int, int, int]]:
    times: list[SettleTime] = []
    counts = (0, 0, 0)
    async with trading_market(traders) as market:
        for number in range(rounds):
            slot = market.first_slot + number * EVERY_S
            await cleared(market, slot)
            times.append(await settle_at(market, slot))
            counts = slot_rows(market.folder, slot).counts()
    return times, counts


async def cleared(market: TradingMarket, slot: int) -> None:
    """Let all households trade in a slot, and measure what they deliver."""
    await market.order(slot)
    await market.skip_to(slot)
    await market.clear(slot)
    await market.measure(slot)


async def settle_at(market: TradingMarket, slot: int) -> SettleTime:
    """Measure the settlement of a cleared slot, then that of recoding its rows."""
    market.contract.uses.clear()
    ledger_s = await settle_s(market, slot)
    contract_s = market.contract.seconds
    rows = slot_rows(market.folder, slot)
    return SettleTime(ledger_s, contract_s, await asyncio.to_thread(lambda: seconds(rows.recode)))


async def settle_s(market: TradingMarket, slot: int) -> float:
    """Return the seconds in which a cleared slot settles."""
    began = time.perf_counter()
    await market.settle(slot)
    return time.perf_counter() - began


def settle_growth(traders: int = TRADERS, *, rounds: int = GROWN_ROUNDS) -> list[Figure]:
    """Compare a settlement of ten times the meters and trades with a settlement of them once."""
    return [
        _at_most(
            "settle-growth",
            asyncio.run(_growths(traders, rounds)),
            against=f"{traders:,} meters and {traders * ORDERS_EACH // 2:,} trades, for ten times",
            reach=GROWTH_REACH,
        )
    ]


async def _growths(traders: int, rounds: int) -> list[float]:
    ratios: list[float] = []
    async with trading_market(traders) as small, trading_market(TIMES * traders) as large:
        for number in range(rounds):
            slot = small.first_slot + number * EVERY_S
            for market in (small, large):
                await cleared(market, slot)
            before_s = await settle_s(small, slot)
            large_s = await settle_s(large, slot)
            await cleared(small, slot + EVERY_S // 2)
            after_s = await settle_s(small, slot + EVERY_S // 2)
            ratios.append(large_s / ((before_s + after_s) / 2))
    return ratios


def correct(traders: int = TRADERS, *, rounds: int = ROUNDS) -> list[Figure]:
    """Compare a correction of 1 % of the meters of a slot with its settlement."""
    return [correct_figure(asyncio.run(_corrections(traders, rounds)), traders=traders)]


def correct_figure(ratios: list[float], *, traders: int) -> Figure:
    """Return the figure of the corrections of one run."""
    return _at_most(
        "correct",
        ratios,
        against=f"settling the slot, for {CORRECTED_PERCENT} % of its {traders:,} meters",
        reach=CORRECT_REACH,
    )


async def _corrections(traders: int, rounds: int) -> list[float]:
    ratios: list[float] = []
    async with trading_market(traders) as market:
        for number in range(rounds):
            slot = market.first_slot + number * EVERY_S
            await cleared(market, slot)
            settled_s = await settle_s(market, slot)
            await market.validate(slot, meters=max(1, traders * CORRECTED_PERCENT // 100))
            began = time.perf_counter()
            await market.correct(slot)
            ratios.append((time.perf_counter() - began) / settled_s)
    return ratios


def _at_most(name: str, ratios: list[float], *, against: str, reach: float) -> Figure:
    value = statistics.median(ratios)
    return Figure(
        name=name,
        value=value,
        unit="x",
        spread=(min(ratios), max(ratios)),
        against=against,
        reach=f"at most {reach:g} x",
        met=value <= reach,
    )
