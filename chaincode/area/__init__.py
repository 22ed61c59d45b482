"""The terms of an area: its zones, market rules, market time, tariffs, fees and VAT.

Begin with `zones.py`, then `rules.py`. Terms that take effect from a slot on are stored here.
"""
