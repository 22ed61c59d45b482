"""How often Python's garbage collector looks for cycles in our processes."""

from __future__ import annotations

import gc

# The market allocates structs and bytes without cycles. With Python's default thresholds the
# collector takes some 3 % of a busy ledger's time and finds nothing (bench ledger-orders).
THRESHOLDS = (50_000, 20, 100)


def collect_seldom() -> None:
    """Make the collector of this process look less often."""
    gc.set_threshold(*THRESHOLDS)
