"""The fast path for hot lists and plain mutations.

Begin with `list_plan.py`.
"""
