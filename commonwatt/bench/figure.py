"""A measured figure of a bench, and the comparison of two ways to do the same thing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: the median, its spread (least, greatest), and what it is compared with."""

    name: str
    value: float
    unit: str
    spread: tuple[float, float]
    against: str
    reach: str
    met: bool


def ratio(
    fast: Callable[[], object], slow: Callable[[], object], *, pairs: int
) -> tuple[float, tuple[float, float]]:
    """Return time of `fast` over time of `slow`, measured in turn: the median and its spread."""
    ratios: list[float] = []
    for _ in range(pairs):
        began = time.perf_counter()
        fast()
        between = time.perf_counter()
        slow()
        ratios.append((between - began) / (time.perf_counter() - between))
    return statistics.median(ratios), (min(ratios), max(ratios))
