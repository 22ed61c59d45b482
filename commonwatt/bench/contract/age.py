"""Bench of age: gate and settlement after many days of changing prices, against after one day.

On every day both retailers post prices for a day of slots, the DSO posts fees, and all households
trade in one slot, which is measured, cleared, settled and folded. The other slots close empty.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence

from chaincode.area.tariffs import SCHEDULE_MAX, ResidualArguments
from commonwatt.bench.contract.gate import EVERY_S, gate_at
from commonwatt.bench.contract.settle import cleared, settle_at
from commonwatt.bench.contract.trading import (
    TRADERS,
    TradingMarket,
    trading_market,
)
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import AREA, RESIDUALS, RETAILERS

DAYS = 30
DAY_S = 86_400
ROUNDS = 9
REACH = 1.1


def age(traders: int = TRADERS, *, days: int = DAYS, rounds: int = ROUNDS) -> list[Figure]:
    """Compare gate and settlement of an old market with those of a market of one day."""
    gates, settlements = asyncio.run(_aged(traders, days, rounds))
    return [age_figure(gates, settlements, days=days)]


def age_figure(gates: Sequence[float], settlements: Sequence[float], *, days: int) -> Figure:
    """Return the figure of the ratios: the one of gates or of settlements that is worse."""
    medians = statistics.median(gates), statistics.median(settlements)
    value, ratios = max(zip(medians, (gates, settlements), strict=True))
    return Figure(
        name="age",
        value=value,
        unit="x",
        spread=(min(ratios), max(ratios)),
        against=(
            f"the same after one day, after {days} days of changing prices "
            f"({medians[0]:.3g} the gate, {medians[1]:.3g} the settlement)"
        ),
        reach=f"at most {REACH:g} x",
        met=value <= REACH,
    )


async def _aged(traders: int, days: int, rounds: int) -> tuple[list[float], list[float]]:
    gates: list[float] = []
    settlements: list[float] = []
    async with trading_market(traders) as young, trading_market(traders) as old:
        for market, age_days in ((young, 1), (old, days)):
            for day in range(age_days):
                await _spend_day(market, market.first_slot + day * DAY_S)
        for number in range(1, rounds + 1):
            young_x = await _gate_and_settle(young, young.first_slot + number * EVERY_S)
            last_day = old.first_slot + (days - 1) * DAY_S
            old_x = await _gate_and_settle(old, last_day + number * EVERY_S)
            gates.append(old_x[0] / young_x[0])
            settlements.append(old_x[1] / young_x[1])
    return gates, settlements


async def _spend_day(market: TradingMarket, slot: int) -> None:
    """Trade a slot, and post the terms that hold from the same slot of the next day on."""
    await cleared(market, slot)
    await market.settle(slot)
    following = slot + DAY_S
    day = following // DAY_S  # the number of the day makes every day's terms differ
    for retailer in RETAILERS:
        plain = RESIDUALS[retailer]
        prices = [plain] * (SCHEDULE_MAX - 1)
        prices.append(type(plain)(plain.import_price + day % 100, plain.export_price))
        terms = ResidualArguments(AREA, following, prices)
        await market.submit("set_residual_prices", terms, "admin", member=retailer)
    await market.post_fees(following, surcharge=day % 100)


async def _gate_and_settle(market: TradingMarket, slot: int) -> tuple[float, float]:
    """Return what a gate, which folds the slot settled before, and a settlement take.

    Each is compared with bare work at the same moment, so that a machine that is busy with other
    things meanwhile slows both.
    """
    gate = await gate_at(market, slot)
    await market.measure(slot)
    return gate.ratio, (await settle_at(market, slot)).ratio
