"""One oracle node: how a node is put together, when it reads its meters, what it does at a boundary.

Begin with `oracle_node.py`; `polling.py` holds the node's meters, `assembly.py` builds nodes from their
settings. How nodes agree is in `agreement/`.
"""
