"""How nodes talk to each other and to the ledger gateway, over mutual TLS.

Begin with `messages.py`, which holds every message; `transport.py` carries them, `ledger_gateway.py` is
the way to the ledger. What a node does with a message is in `agreement/` and `node/`.
"""
