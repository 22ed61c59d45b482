"""The benches that start a Fabric network.

Begin with `benches.py`, which lists them.
"""
