"""Puts the parts together: the whole market on one machine, the API alone, the ledger gateway.

Begin with `up.py`, which starts the market. The parts themselves are in their own packages.
"""
