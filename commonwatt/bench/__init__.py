"""The numbers that the project promises, measured on this machine in this run.

Begin with `benches.py`, which lists them; those on a Fabric network are in `fabric/`.
"""
