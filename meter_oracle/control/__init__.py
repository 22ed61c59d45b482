"""Instructions to sellers' devices at a slot's start.

Begin with `delivery.py`. How an instruction is written to a device is in `drivers/`.
"""
