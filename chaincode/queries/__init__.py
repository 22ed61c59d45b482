"""What anybody may ask of the contract.

Begin with `market.py`; questions about meters are in `meters.py`.
"""
