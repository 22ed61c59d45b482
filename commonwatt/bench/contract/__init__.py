"""Benches of the contract on the durable embedded ledger: gate, settlement, correction, age, size.

Begin with `trading.py`: the market in which every household trades several orders in a slot.
"""
