"""One file or room per protocol: how a meter is read and, where it can be, told.

Begin with `driver.py`, the interface of every driver; `json_rpc.py` is the shortest model to copy.
Drivers decode registers. Whether a register is believed is decided in `readings/`.
"""
