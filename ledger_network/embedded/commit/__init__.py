"""How a transaction is committed: simulate, order, validate, store.

Begin with `proposal.py`, which turns a request into a proposal, then read `committer.py`.
"""
