"""The way of a transaction: simulate, order, validate, commit.

Begin with `proposal.py` (from a request to a proposal), then `committer.py`.
"""
