"""A slot's phase and gate, tie seeds, and runs that take more than one transaction.

Begin with `gate.py`, then `runs.py`. The work of runs is in `clearing/` and `settlement/`.
"""
