"""The benches of the contract run at a small size, and compute their figures as they say."""

from __future__ import annotations

import asyncio

import pytest

from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX
from commonwatt.bench.benches import BENCHES
from commonwatt.bench.contract.age import age, age_figure
from commonwatt.bench.contract.gate import GateTime, gate, gate_figure
from commonwatt.bench.contract.largest import largest, largest_figure
from commonwatt.bench.contract.settle import (
    SettleTime,
    cleared,
    correct,
    correct_figure,
    settle,
    settle_figure,
    settle_growth,
)
from commonwatt.bench.contract.trading import FEES, ORDERS_EACH, trading_market
from commonwatt.bench.contract.watched import Use
from commonwatt.bench.contract.yardsticks import SlotRows, slot_rows

TRADERS = 8


def test_every_household_trades_and_all_its_trades_are_delivered() -> None:
    async def run() -> SlotRows:
        async with trading_market(TRADERS) as market:
            await cleared(market, market.first_slot)
            await market.settle(market.first_slot)
            return slot_rows(market.folder, market.first_slot)

    rows = asyncio.run(run())

    trades, postings, entries = rows.counts()
    assert trades == TRADERS * ORDERS_EACH // 2
    assert postings >= trades * 4 * len(FEES)
    assert entries >= TRADERS
    rows.recode()


def test_row_that_is_not_canonical_is_no_yardstick() -> None:
    rows = SlotRows(trades=[b'{"v": 1, "trades": []}'], postings=[], entries=[])

    with pytest.raises(RuntimeError, match="trade pages"):
        rows.recode()


def test_gate_is_compared_with_bare_verification() -> None:
    times = [GateTime(3.0, 2.0, 2.0), GateTime(1.0, 0.5, 1.0), GateTime(8.0, 4.0, 4.0)]

    figure = gate_figure(times, orders=10_000)

    assert (figure.value, figure.spread, figure.met) == (1.5, (1.0, 2.0), True)
    assert "10,000 signatures" in figure.against
    assert "3.00 s on the ledger, 2.00 s of it in the contract" in figure.against
    assert not gate_figure([GateTime(1.51, 1.0, 1.0)], orders=1).met


def test_settlement_is_compared_with_recoding_its_rows() -> None:
    times = [SettleTime(24.0, 12.0, 2.0), SettleTime(13.0, 12.0, 1.0), SettleTime(1.0, 1.0, 1.0)]

    figure = settle_figure(times, (5, 100, 9))

    assert (figure.value, figure.spread, figure.met) == (12.0, (1.0, 13.0), True)
    assert "5 trades, 100 postings and 9 entries" in figure.against
    assert not settle_figure([SettleTime(12.1, 1.0, 1.0)], (1, 1, 1)).met


def test_correction_is_compared_with_the_settlement_of_its_slot() -> None:
    assert correct_figure([0.3, 0.1, 0.05], traders=100).met
    assert not correct_figure([0.11], traders=100).met


def test_age_is_the_worse_of_gate_and_settlement() -> None:
    figure = age_figure([1.0, 1.1, 1.2], [0.9, 1.3, 1.4], days=30)

    assert (figure.value, figure.spread, figure.met) == (1.3, (0.9, 1.4), False)
    assert "1.1 the gate, 1.3 the settlement" in figure.against


def test_largest_transaction_is_judged_by_the_limit_that_it_comes_nearest_to() -> None:
    uses = [
        Use("place_orders", 0.0, BYTES_MAX // 2, 1, 1),
        Use("settle_slot", 0.0, 1, WRITES_MAX * 3 // 4, 1),
        Use("clear_slot", 0.0, 1, 1, READS_MAX // 4),
    ]

    figure = largest_figure(uses, 1.0, traders=4, fee_rows=400)

    assert (figure.value, figure.spread, figure.met) == (75.0, (25.0, 75.0), True)
    assert "2 transactions" in figure.against
    full = Use("settle_slot", 0.0, 1, WRITES_MAX * 4 // 5, 1)
    assert not largest_figure([full], 1.0, traders=4, fee_rows=400).met


def test_benches_of_the_contract_run_at_a_small_size() -> None:
    figures = [
        *gate(TRADERS, rounds=1),
        *settle(TRADERS, rounds=1),
        *settle_growth(TRADERS, rounds=1),
        *correct(TRADERS, rounds=1),
        *age(TRADERS, days=2, rounds=1),
        *largest(TRADERS, fee_rows=2),
    ]

    assert all(figure.value > 0 for figure in figures)
    names = [figure.name for figure in figures]
    assert names == [name for name in BENCHES if name in names]
    assert len(names) == 6
