"""A measured number of the bench, and how two ways of doing one thing are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number: the median, its spread (least, greatest), and what it is compared with."""

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
    """Time of `fast` over time of `slow`, measured in turn: the median and its spread."""
    ratios: list[float] = []
    for _ in range(pairs):
        began = time.perf_counter()
        fast()
        between = time.perf_counter()
        slow()
        ratios.append((between - began) / (time.perf_counter() - between))
    return statistics.median(ratios), (min(ratios), max(ratios))
