"""A demonstration: its plan, its cast, what households want, what members do slot by slot.

Begin with `market_plan.py`, then `cast.py` and `duties/`. `commonwatt/wiring/` runs it.
"""
