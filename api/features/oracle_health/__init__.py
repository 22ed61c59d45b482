"""The oracle's nodes, and what they report of meters and of each other.

Begin with `writes.py`.
"""
