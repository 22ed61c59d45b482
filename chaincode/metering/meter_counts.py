"""The greatest number of meters of an area (contract.md, part 1.5).

A slot has a meter for each of its traders, so the bound on meters bounds the participants, orders
and trades of a slot too. One counter for the whole area would make any two registrations conflict.
So meters are counted in groups, by the hash of their names, and each group takes so many. A retired
meter stays in the books of its slots and is counted for good.
"""

from __future__ import annotations

from hashlib import sha256

from chaincode.context import Context
from chaincode.errors import METERS_TOO_MANY
from chaincode.state import Count, Row, Table

GROUPS = 256  # one for each first byte of the hash
GROUP_METERS_MAX = 128
METERS_MAX = GROUPS * GROUP_METERS_MAX  # 32,768 meters of one area


class MeterCount(Row, frozen=True):
    """How many meters of an area are in one group."""

    meters: Count


METER_COUNTS = Table(59, "meter counts", MeterCount, ("area", "group"))


def count_meter(context: Context, area: str, meter: str) -> None:
    """Count a meter that is new in an area; refused where the meter's group is full."""
    group = f"{sha256(meter.encode()).digest()[0]:03d}"
    row = METER_COUNTS.get(context, area, group)
    meters = 0 if row is None else row.meters
    if meters >= GROUP_METERS_MAX:
        raise METERS_TOO_MANY(
            area=area, limit=METERS_MAX, group=group, group_limit=GROUP_METERS_MAX
        )
    METER_COUNTS.put(context, MeterCount(meters=meters + 1), area, group)
