"""The parties on the channel: organisations and participants; the regulator's acts.

Begin with `organisations.py`. `chaincode/contract.py` lists which role may call which transaction.
"""
