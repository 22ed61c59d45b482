"""Modbus/TCP: the link, SunSpec, meters with a register map, power limits, discovery.

Begin with `meter.py`. Register maps of meter families are data in `families/`.
"""
