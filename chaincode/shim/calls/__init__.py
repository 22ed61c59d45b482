"""What the contract gets with one call of a peer: invocation, state, private values, queries.

Begin with `invocation.py`. The code through which calls reach the contract is in `serving/`.
"""
