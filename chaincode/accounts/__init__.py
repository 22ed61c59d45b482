"""Money and certificates of an area: accounts, entries, postings.

Begin with `balances.py`. Why a posting has its amount is decided in `settlement/postings.py`.
"""
