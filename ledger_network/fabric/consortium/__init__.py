"""The consortium as one file describes it, and everything that is generated from that file.

Begin with `definition.py`, which reads `consortium.yaml`. Nothing here starts a node: only Fabric's
generators are run. `runtime/` and `operations/` start and supervise nodes.
"""
