"""How oracle nodes agree on registers, sign a report and bring it to the ledger.

Begin with `consensus.py`. Frames and certificates between nodes are in `peers/`.
"""
