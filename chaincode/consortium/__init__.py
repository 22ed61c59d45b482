"""Who is known on the channel: organisations, participants, the regulator's acts.

Begin with `registry.py`. Which role may call which transaction stands in `chaincode/contract.py`.
"""
