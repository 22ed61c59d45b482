"""The market in a terminal: what is read from the ledger and how it is drawn.

Begin with `page.py`.
"""
