"""What traders sign, and whether an order is taken.

Begin with `sheets.py` (what is signed), then `handlers.py` (place, amend, cancel).
"""
