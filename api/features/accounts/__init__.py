"""Balances, postings with the reason of each amount, certificates.

Begin with `types.py`.
"""
