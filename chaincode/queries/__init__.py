"""The queries that any member may call.

Begin with `market.py`; questions about meters are in `meters.py`.
"""
