"""What nodes say to each other and to the gateway of the ledger, over mutual TLS.

Begin with `messages.py` (every message), then `transport.py`.
"""
