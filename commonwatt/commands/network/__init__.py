"""`commonwatt network`: a Fabric network of the consortium, as processes or as containers.

Begin with `group.py`, which lists the commands. The network itself is in `ledger_network/fabric/`.
"""
