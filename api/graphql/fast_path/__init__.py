"""The short way of hot lists and plain mutations.

Begin with `list_plan.py`.
"""
