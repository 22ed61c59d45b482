"""Trades and their states.

Begin with `types.py`.
"""
