"""How the parts are put together: which ledger, the API as a service, the ledger's gateway.

Begin with `up.py`, which starts the whole market on one machine.
"""
