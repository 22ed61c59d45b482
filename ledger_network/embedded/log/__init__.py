"""What is written and never changed: blocks, their log, the log of private values.

Begin with `block.py` (what a block holds), then `block_log.py` (how blocks lie on disk). The state
that follows from the log is in `state/`.
"""
