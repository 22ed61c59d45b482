"""The documents that traders sign, and the checks of orders.

Begin with `sheets.py` (what is signed), then `handlers.py` (place, amend, cancel).
"""
