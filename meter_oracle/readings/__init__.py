"""What registers say about a slot's boundary, and which registers are not believed.

Begin with `boundary.py`; every rule of plausibility is in `plausibility.py`.
"""
