"""Operations on a network: bring it up, join, roll out a contract, inspect, repair.

Begin with `network.py`. The commands themselves are in `commonwatt/commands/network/`.
"""
