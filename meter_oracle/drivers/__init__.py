"""How a meter is read, and a device behind it limited: one file or room per protocol.

Begin with `driver.py`, the interface of every driver; `json_rpc.py` is the model to copy. A driver decodes
what the device sends. It does not judge whether a register can be right, or whether the serial number is
the expected one: `readings/registers.py` does that for all drivers. Register maps of meter families are
data in `families/`.

To add a protocol:

1. `sources.py`: a struct with the settings of a source, and its name in `MeterSource`. The tag is the
   `kind` in the file that lists meters.
2. `<protocol>.py`, or a room if it needs several modules: a class with `read`, `instruct` and `close` as
   `MeterDriver` defines them. Take the time before and after the request, return a `RegisterRead`, and
   raise `MeterFault` with a code of `meter_oracle/faults.py` for everything else: a register that is
   missing or invalid is a fault and never 0. Keep a deadline, and recover on the next read.
3. `opening.py`: a case in `open_driver`.
4. `tests/meter_oracle/drivers/test_every_driver.py`: a row with a device that speaks the protocol. The
   suite checks what holds for every driver; tests of this protocol alone go into a file of their own.
5. `docs/guides/connect-a-meter.md`: an example of the source.
"""
