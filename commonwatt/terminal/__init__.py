"""Shows the market in a terminal: takes a snapshot of the ledger and draws it.

Begin with `page.py`.
"""
