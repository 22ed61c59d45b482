"""One oracle node: put together, started, stopped.

Begin with `oracle_node.py`; `assembly.py` builds nodes from their settings.
"""
