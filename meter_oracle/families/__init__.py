"""Meter families as data: one TOML file per family, and how these files are read.

Begin with `register_maps.py`; copy a TOML file to add a family.
"""
