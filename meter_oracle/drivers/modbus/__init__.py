"""Modbus/TCP: SunSpec devices and meters with a register map, power limits, discovery.

Begin with `meter.py`, the driver. `link.py` is the connection, `sunspec.py` walks the models of a device,
`power_limit.py` writes a limit to it, `discovery.py` looks for devices in a network. Register maps of
meter families are data in `families/`.
"""
