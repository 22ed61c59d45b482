"""The oracle's nodes, and what they report about meters and about each other.

Begin with `writes.py`.
"""
