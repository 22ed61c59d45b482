"""Money and certificates of an area: accounts, entries, postings.

Begin with `balances.py`. The amounts of postings are computed in `settlement/postings.py`.
"""
