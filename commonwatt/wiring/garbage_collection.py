"""How often Python's collector looks for cycles in a process of ours."""

from __future__ import annotations

import gc

# What the market allocates are structs and bytes without cycles: with Python's own thresholds the
# collector takes some 3 % of a busy ledger's time to find nothing (measured with ledger-orders).
THRESHOLDS = (50_000, 20, 100)


def collect_seldom() -> None:
    """Let the collector of this process look less often."""
    gc.set_threshold(*THRESHOLDS)
