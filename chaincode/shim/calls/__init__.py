"""What one call of a peer gives the contract: its invocation, state, private values, queries.

Begin with `invocation.py`. How calls reach the contract is in `serving/`.
"""
