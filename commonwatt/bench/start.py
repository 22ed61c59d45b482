"""Bench of the start of commands that need few parts, compared with importing their libraries.

Each command runs in its own process, as a user starts it; the slowest command counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from commonwatt.bench.figure import Figure, ratio

PAIRS = 7
REACH = 4.0
LIBRARIES = ("-c", "import msgspec, numpy")
COMMANDS: Mapping[str, Sequence[str]] = {
    "--help": ("--help",),
    "auction": ("auction",),
    "wallet": ("wallet", "--help"),
}
BOOK = b"""{"mechanism": "uniform", "zones": [{"id": "street", "parent": null}], "orders": [
{"id": "sell", "zone": "street", "side": "sell", "price": 100000, "quantity": 500},
{"id": "buy", "zone": "street", "side": "buy", "price": 200000, "quantity": 500}]}"""


def start() -> list[Figure]:
    """Measure the time of the slowest command over the time of the imports alone."""
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        book = Path(folder) / "book.json"
        book.write_bytes(BOOK)
        libraries = _process(LIBRARIES, book)
        libraries()  # warm up, so that the measured runs find the libraries in memory
        measured = {
            name: ratio(_process(("-m", "commonwatt", *words), book), libraries, pairs=PAIRS)
            for name, words in COMMANDS.items()
        }
    slowest = max(measured, key=lambda name: measured[name][0])
    value, spread = measured[slowest]
    return [
        Figure(
            name="start",
            value=value,
            unit="x",
            spread=spread,
            against=f"python -c 'import msgspec, numpy'; the slowest is `commonwatt {slowest}`",
            reach=f"at most {REACH:g} x",
            met=value <= REACH,
        )
    ]


def _process(arguments: Sequence[str], book: Path) -> Callable[[], object]:
    """Return a function that runs Python with the book as input; it raises if Python fails."""

    def run() -> None:
        with book.open("rb") as given:
            subprocess.run(
                [sys.executable, *arguments], stdin=given, stdout=subprocess.DEVNULL, check=True
            )

    return run
