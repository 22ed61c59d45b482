"""Whether registers at a boundary fit what is known of the meter before and after it.

Rules of the contract: "Registers, not differences", 3. A register is refused if it lies below the
last measured one before it or above the next one after it, or if it is farther from either than
the certified power allows in the time between. Where devices were exchanged in between, this holds
for each of them: the old one counts to its closing registers, the new one from its opening ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chaincode.context import Context
from chaincode.errors import READING_PURGED
from chaincode.metering.exchanges import MeterExchanges
from chaincode.metering.measured import MeasuredBoundaries
from chaincode.metering.powers import Powers, require_forwards, require_power
from chaincode.metering.readings import Leaf, readings_at
from chaincode.metering.registers import Exchange, Measured, Stretch, stretches


class Neighbour(NamedTuple):
    """A measured register beside the boundary, and the exchanges of devices in between."""

    measured: Measured
    exchanges: Sequence[Exchange]
    resolution_wh: int


class Neighbours:
    """The measured boundaries before and after one boundary, for the meters of a report."""

    def __init__(
        self, context: Context, index: MeasuredBoundaries, *, boundary: int, slot_s: int
    ) -> None:
        self._context = context
        self._index = index
        self._boundary = boundary
        self._slot_s = slot_s
        self._exchanges = MeterExchanges(context)
        self._before: dict[str, Neighbour] = {}
        self._after: dict[str, Neighbour] = {}
        self._ends: dict[str, tuple[int | None, int | None]] = {}

    def load(self, meters: Sequence[str]) -> None:
        """Read the neighbours of `meters`; raises `READING_PURGED`."""
        earlier, later = self._boundary - self._slot_s, self._boundary + self._slot_s
        self._exchanges.load(meters)
        self._index.load(meters, first=max(0, earlier), last=later)
        places: list[tuple[int, str]] = []
        for meter in meters:
            before = self._index.last_until(meter, earlier) if earlier >= 0 else None
            after = self._index.next_from(meter, later)
            self._ends[meter] = before, after
            places += [(found, meter) for found in (before, after) if found is not None]
        for (boundary, meter), reading in zip(
            places, readings_at(self._context, places), strict=True
        ):
            if reading is None:
                raise READING_PURGED(meter=meter, boundary=boundary)
            self._keep(meter, boundary, reading.leaf)

    def check(self, leaf: Leaf, powers: Powers) -> None:
        """Refuse a leaf that runs back or that moved faster than the certified power allows."""
        own = Measured(leaf.boundary, leaf.registers)
        sides: list[tuple[Neighbour, list[Stretch]]] = []
        for found in (self._before.get(leaf.meter), self._after.get(leaf.meter)):
            if found is not None:
                first, last = sorted((own, found.measured), key=lambda end: end.boundary)
                passed = stretches(first, last, found.exchanges, slot_s=self._slot_s)
                sides.append((found, list(passed)))
        for _, passed in sides:
            require_forwards(leaf.meter, leaf.boundary, passed)
        for found, passed in sides:
            steps_wh = leaf.resolution_wh + found.resolution_wh
            require_power(leaf.meter, passed, powers, slot_s=self._slot_s, steps_wh=steps_wh)

    def first_s(self, meter: str) -> int:
        """The second from which `check` needs the certified powers of a meter."""
        before = self._before.get(meter)
        return self._boundary if before is None else before.measured.boundary

    def first_changed(self, meter: str, *, measured: bool) -> int | None:
        """The first slot whose measured energy a reading here changes; None if it changes none.

        `measured` says that the meter already has a reading at this boundary. Without one, and
        without a later one, the slots before the boundary have estimates only.
        """
        before, after = self._ends[meter]
        return before if measured or after is not None else None

    def span(self, meters: Iterable[str]) -> tuple[int, int | None]:
        """The slots whose energy the readings of `meters` change: the first, and the end of the last.

        They lie between the measured boundaries around this one. The end is None where no later
        boundary is measured: then all later slots change, because their estimates do.
        """
        ends = [self._ends[meter] for meter in meters]
        first = min(self._boundary if before is None else before for before, _ in ends)
        if any(after is None for _, after in ends):
            return first, None
        return first, max(after for _, after in ends if after is not None)

    def _keep(self, meter: str, boundary: int, leaf: Leaf) -> None:
        first, end = sorted((boundary, self._boundary))
        exchanges = self._exchanges.between(meter, first, end)
        found = Neighbour(Measured(boundary, leaf.registers), exchanges, leaf.resolution_wh)
        side = self._before if boundary < self._boundary else self._after
        side[meter] = found
