"""A demonstration: its cast, what households want, what members do slot by slot.

Begin with `cast.py`, then `member_duties.py`.
"""
