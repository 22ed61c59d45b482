"""The public part of the market: zones, slots, prices, and the phases of a slot.

Begin with `types.py`.
"""
