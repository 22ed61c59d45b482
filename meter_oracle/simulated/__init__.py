"""Simulated meters on real Modbus/TCP, for demonstrations and tests.

Begin with `fleet.py`, which serves many devices; `device.py` is one of them with the faults that can be
ordered. `orders.py` takes such orders from another process, `market_clock.py` lets the meters run at market
time. Nodes read these meters through `drivers/` like any others.
"""
