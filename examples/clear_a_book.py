"""Clear a book from Python, and plot where supply and demand meet.

python examples/clear_a_book.py curves.png
"""

from __future__ import annotations

import argparse
from itertools import accumulate
from pathlib import Path

import matplotlib
import msgspec
import pandas as pd

from commonwatt.market import Book, Clearing, Order, Step, clear

matplotlib.use("Agg")  # draws into files, so it needs no screen

from matplotlib import pyplot as plt

CT = 10_000  # micro-currency per kWh in a ct/kWh

BOOK = Book(
    [
        Order("anna", "sell", [Step(6 * CT, 800), Step(11 * CT, 700)]),
        Order("emil", "sell", [Step(8 * CT, 500)]),
        Order("solar park", "sell", [Step(14 * CT, 2_000)]),
        Order("ben", "buy", [Step(24 * CT, 600), Step(12 * CT, 400)]),
        Order("cleo", "buy", [Step(16 * CT, 900)]),
        Order("dora", "buy", [Step(9 * CT, 700)]),
    ]
)


def staircase(book: Book, side: str) -> pd.DataFrame:
    """The steps of one side as a curve: Wh up to here, and the limit of the step that ends here."""
    steps = [step for order in book.orders if order.side == side for step in order.steps]
    steps.sort(key=lambda step: step.price_micro_per_kwh, reverse=side == "buy")
    return pd.DataFrame(
        {
            "wh": [0, *accumulate(step.quantity_wh for step in steps)],
            "ct": [step.price_micro_per_kwh / CT for step in (steps[0], *steps)],
        }
    )


def plot(book: Book, cleared: Clearing, picture: Path) -> None:
    """Both curves, and the point where the book cleared."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for side, label in (("sell", "supply"), ("buy", "demand")):
        curve = staircase(book, side)
        axes.step(curve["wh"], curve["ct"], where="pre", label=label)
    if cleared.price_micro_per_kwh is not None:
        axes.axhline(cleared.price_micro_per_kwh / CT, linestyle=":", color="grey")
        axes.plot(cleared.volume_wh, cleared.price_micro_per_kwh / CT, "o", color="black")
    axes.set(xlabel="Wh", ylabel="ct/kWh", title="One book, one price")
    axes.legend()
    figure.savefig(picture)


def main() -> None:
    """Clear the book, print its trades, draw its curves."""
    parser = argparse.ArgumentParser(description="Clear a book and plot it.")
    parser.add_argument("picture", type=Path, help="where the plot goes, such as curves.png")
    picture: Path = parser.parse_args().picture
    cleared = clear(BOOK)
    print(pd.DataFrame(msgspec.to_builtins(cleared.trades)).to_string(index=False))
    print(f"{cleared.volume_wh} Wh at {cleared.price_micro_per_kwh} micro/kWh")
    plot(BOOK, cleared, picture)


if __name__ == "__main__":
    main()
