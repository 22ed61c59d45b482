"""The consortium and its market in containers: compose file, and material for each service.

Begin with `market_compose.py`. The images of the nodes are in `ledger_network/fabric/images/`.
"""
