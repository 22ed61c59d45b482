"""`commonwatt meter`: simulate meters, read them, find them.

Begin with `group.py`, which lists the commands. Drivers and simulated devices are in `meter_oracle/`.
"""
