"""Simulate a week under two price rules, and compare what buyers pay.

    python examples/compare_price_rules.py week.png

The orders are the same under both rules, so the same energy is traded: the rule decides which of
the prices that clear is taken, and with it how buyers and sellers share the gain. Several prices
clear only where no order is filled in part, so households order in lots here: with lots of 1 Wh
the two rules come to the same prices all week.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import msgspec
import pandas as pd

from commonwatt.market import PriceRule, simulate

matplotlib.use("Agg")  # draws into files, so it needs no screen

from matplotlib import pyplot as plt

RULES: Sequence[PriceRule] = ("seller", "buyer")
CT = 10_000  # micro-currency per kWh in a ct/kWh
NANO = 1_000_000_000  # nano-currency in a unit


def traded(price_rule: PriceRule, asked: argparse.Namespace) -> pd.DataFrame:
    """A row for each zone and slot that traded, under one rule."""
    simulation = simulate(
        days=asked.days,
        households=asked.households,
        seed=asked.seed,
        lot_wh=asked.lot_wh,
        price_rule=price_rule,
    )
    rows = pd.DataFrame(msgspec.to_builtins(simulation.zones))
    rows = rows[rows["volume_wh"] > 0].assign(rule=price_rule)
    # Wh x micro/kWh is nano-currency, exactly.
    rows["paid_nano"] = rows["volume_wh"] * rows["price_micro_per_kwh"].astype("int64")
    rows["hour"] = pd.to_datetime(rows["slot_s"], unit="s", utc=True).dt.floor("h")
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """For each rule: energy traded, what buyers paid for it, and the mean price."""
    sums = rows.groupby("rule")[["volume_wh", "paid_nano"]].sum()
    sums["mean_ct_per_kwh"] = sums["paid_nano"] / sums["volume_wh"] / CT
    sums["paid"] = sums["paid_nano"] / NANO
    return sums[["volume_wh", "paid", "mean_ct_per_kwh"]]


def plot(rows: pd.DataFrame, picture: Path) -> None:
    """The mean price of each hour under each rule."""
    hourly = rows.groupby(["rule", "hour"])[["volume_wh", "paid_nano"]].sum()
    price = (hourly["paid_nano"] / hourly["volume_wh"] / CT).unstack("rule")
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for rule in RULES:
        axes.plot(price.index, price[rule], marker=".", label=f"price rule {rule}")
    axes.set(ylabel="ct/kWh", title="Mean price of an hour's trades")
    axes.legend()
    figure.autofmt_xdate()
    figure.savefig(picture)


def main() -> None:
    """Simulate both, print the sums, draw the prices."""
    parser = argparse.ArgumentParser(description="Compare two price rules over simulated days.")
    parser.add_argument("picture", type=Path, help="where the plot goes, such as week.png")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--households", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lot-wh", type=int, default=100, help="what orders are multiples of")
    asked = parser.parse_args()
    rows = pd.concat(traded(rule, asked) for rule in RULES)
    print(summary(rows).to_string(float_format="{:.2f}".format))
    plot(rows, asked.picture)


if __name__ == "__main__":
    main()
