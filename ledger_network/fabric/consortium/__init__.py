"""The consortium as one file describes it, and all that is generated from that file.

Begin with `definition.py`, which reads `consortium.yaml`. Nothing here runs a process; `runtime/` and
`operations/` do.
"""
