"""Orders to a fleet from another process: JSON lines, each answered with one JSON line.

`{"order": "fault", "meter": "meter-00001", "fault": "silent"}` begins a fault; the same
order without `fault` ends the fault.
`{"order": "anchor", "clock": {"real_anchor_ns": 0, "market_anchor_ns": 0, "rate": 90}}` sets the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from meter_oracle.simulated.device import FaultKind, FaultRefused
from meter_oracle.simulated.fleet import Fleet
from meter_oracle.simulated.market_clock import MarketClock

LINE_BYTES_MAX = 65_536


class FaultOrder(
    msgspec.Struct, frozen=True, tag="fault", tag_field="order", forbid_unknown_fields=True
):
    """Begin a fault of a meter, or end it."""

    meter: str
    fault: FaultKind | None = None


class AnchorOrder(
    msgspec.Struct, frozen=True, tag="anchor", tag_field="order", forbid_unknown_fields=True
):
    """Use another clock."""

    clock: MarketClock


class Obeyed(msgspec.Struct, frozen=True):
    """The answer to an order; `sentence` is empty, or says why the order was not carried out."""

    ok: bool
    sentence: str = ""


_DECODER = msgspec.json.Decoder(FaultOrder | AnchorOrder)


def obey(fleet: Fleet, line: bytes) -> Obeyed:
    """Carry out the order in `line`; an invalid line gives an answer and no exception."""
    try:
        order = _DECODER.decode(line)
        if isinstance(order, AnchorOrder):
            fleet.anchor(order.clock)
        else:
            fleet.order(order.meter, order.fault)
    except (msgspec.MsgspecError, UnicodeDecodeError, FaultRefused) as error:
        return Obeyed(ok=False, sentence=str(error))
    return Obeyed(ok=True)


async def obey_all(
    fleet: Fleet, reader: asyncio.StreamReader, answer: Callable[[bytes], None]
) -> None:
    """Carry out orders until `reader` ends, or a line is longer than its limit.

    `answer` receives a line for each order.
    """
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            return
        if not line:
            return
        if line.strip():
            answer(msgspec.json.encode(obey(fleet, line)) + b"\n")
