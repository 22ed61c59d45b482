"""Limits for sellers' devices at a slot's start: which device, how much, for how long.

Begin with `delivery.py`. How a limit is written to a device is in `drivers/` (for SunSpec in
`drivers/modbus/power_limit.py`).
"""
