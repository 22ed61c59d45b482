"""Everything that can be wrong with a meter: one table, used wherever a fault is found or explained.

A driver raises `MeterFault` when it gets no reading. `readings/` raises it, with the same codes, when
a reading cannot be right. `FAULTS` says what each code means, what to do about it and how the health
of the meter is shown; `commonwatt meter read` prints the advice, and a test compares the table with
`docs/guides/connect-a-meter.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

FaultCode = Literal[
    "METER_SILENT",
    "METER_LATE",
    "METER_EXCEPTION",
    "METER_GARBLED",
    "METER_VALUE",
    "METER_MISSING",
    "METER_UNIT",
    "METER_SERIAL",
    "METER_STEP_BACK",
    "METER_JUMP",
    "METER_FROZEN",
    "METER_SPIKE",
    "METER_CONTROL",
]


class Fault(NamedTuple):
    """A row of the table: what a code means and what the operator of the meter can do.

    `health` is the state in which the meter is shown. With `counts` the reading is still used.
    """

    meaning: str
    advice: str
    health: Literal["silent", "faulty", "suspect"]
    counts: bool = False


FAULTS: Mapping[FaultCode, Fault] = {
    "METER_SILENT": Fault(
        "The meter gave no answer before the deadline, or no connection could be opened.",
        "Check its power and its network. The node tries again by itself.",
        "silent",
    ),
    "METER_LATE": Fault(
        "The answer cannot be placed in time: it took too long, or the source's clock is wrong.",
        "Raise `late_s` for a slow line, or set the gateway's clock.",
        "faulty",
    ),
    "METER_EXCEPTION": Fault(
        "The device or gateway refused the request.",
        "Check the unit id and the register map, or the method; a busy gateway recovers by itself.",
        "faulty",
    ),
    "METER_GARBLED": Fault(
        "The answer does not follow the protocol.",
        "Check that the port speaks this protocol and that a serial line has one master only.",
        "faulty",
    ),
    "METER_VALUE": Fault(
        "A register holds no valid number, or a negative one.",
        "Wait, the device has no value now. If that lasts, check the register map.",
        "faulty",
    ),
    "METER_MISSING": Fault(
        "The meter lacks a register that the source names.",
        "Choose another register map. A missing export is never taken for 0.",
        "faulty",
    ),
    "METER_UNIT": Fault(
        "The scale of the registers is invalid, or has changed together with their value.",
        "Check the unit in the device's settings. The fault lasts until it is corrected.",
        "faulty",
    ),
    "METER_SERIAL": Fault(
        "The serial number is not the expected one: this is another meter.",
        "Have the grid operator record the exchange (exchange_meter). The fault lasts until the expected meter answers.",
        "faulty",
    ),
    "METER_STEP_BACK": Fault(
        "A register fell, and this is no rollover.",
        "Find out whether the meter was exchanged or lost its count in an outage.",
        "suspect",
    ),
    "METER_JUMP": Fault(
        "A register rose by more than the certified power, or `power_max_w`, allows.",
        "Check the unit of the registers, and whether `power_max_w` is too low.",
        "suspect",
    ),
    "METER_FROZEN": Fault(
        "Neither register has moved for eight slots, although one moved in every slot before.",
        "Check the meter: it may have stopped counting.",
        "suspect",
    ),
    "METER_SPIKE": Fault(
        "The energy of a slot is far above the recent peak, but within the certified power.",
        "Check the meter if you cannot explain the peak. The reading counts.",
        "suspect",
        counts=True,
    ),
    "METER_CONTROL": Fault(
        "The device cannot be given this instruction, or did not take it.",
        "Check the device's control settings and `rated_w`.",
        "faulty",
    ),
}


class MeterFault(Exception):
    """What is wrong with a meter: a code from `FAULTS`, and a sentence about this case.

    After any fault the meter may be read again.
    """

    def __init__(self, code: FaultCode, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code: FaultCode = code
        self.sentence = sentence

    @property
    def row(self) -> Fault:
        """The table's row for the code."""
        return FAULTS[self.code]
