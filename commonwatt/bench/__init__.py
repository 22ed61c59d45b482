"""Benches of the numbers that the project promises, measured on this machine.

Begin with `benches.py`, which lists them; benches on a Fabric network are in `fabric/`.
"""
