"""The logs that the ledger appends to: the block log and the log of private values.

Begin with `block.py` (what a block holds), then `block_log.py` (how blocks lie on disk). The state
that follows from the log is in `state/`.
"""
