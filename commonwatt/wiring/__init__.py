"""How the parts are put together: the whole market on one machine, the API alone, the ledger gateway.

Begin with `up.py`, which starts the market. What the parts do lives in their own packages.
"""
