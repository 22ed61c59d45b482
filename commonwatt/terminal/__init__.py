"""The market in a terminal: a snapshot of the ledger, and how it is drawn.

Begin with `page.py`.
"""
