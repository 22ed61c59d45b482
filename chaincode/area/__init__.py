"""What holds in an area: its zones, market rules, market time, tariffs, fees and VAT.

Begin with `zones.py`, then `rules.py`. Everything dated by slot is found here.
"""
