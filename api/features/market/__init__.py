"""The market as everybody sees it: zones, slots, prices, and the life of a slot.

Begin with `types.py`.
"""
