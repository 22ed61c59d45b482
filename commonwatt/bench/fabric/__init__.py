"""The benches that bring up a Fabric network.

Begin with `benches.py`, which lists them.
"""
