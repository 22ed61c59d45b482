"""A slot's phase and gate, tie seeds, and runs that take more than one transaction.

Begin with `gate.py`, then `runs.py`. What a run does is in `clearing/` and `settlement/`.
"""
