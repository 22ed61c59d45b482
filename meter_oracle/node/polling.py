"""One node's meters: when the node reads each of them, and which registers it vouches for.

Before and after a boundary the node sweeps all meters, several at a time. A meter that has not answered
when the sweep ends is read again until there is a reading on either side of the boundary. `readings/`
judges every reading. After a new beginning (such as an exchange of the meter) the node vouches for
nothing that spans the beginning.

Drivers are opened with the node's market clock: the times of their readings are market time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from meter_oracle.agreement.consensus import Values, tolerance_wh
from meter_oracle.drivers.driver import Instruction, MeterDriver, RegisterRead
from meter_oracle.drivers.sources import POWER_MAX_DEFAULT_W
from meter_oracle.faults import MeterFault
from meter_oracle.health.board import HealthBoard
from meter_oracle.peers.messages import Certified
from meter_oracle.readings.boundary import AtBoundary, Bracket, Look, at_boundary
from meter_oracle.readings.plausibility import History, Limits
from meter_oracle.readings.registers import RegisterTrack
from meter_oracle.schedule import NS_PER_S

BRACKETS_MAX = 200  # boundaries of one meter that are kept open or known


class PolledMeter:
    """One meter as one node has seen it; `fault` is what was wrong with the last reading."""

    def __init__(
        self,
        meter: str,
        driver: MeterDriver,
        *,
        serial: str = "",
        power_max_w: int = POWER_MAX_DEFAULT_W,
    ) -> None:
        self.meter = meter
        self.fault: MeterFault | None = None
        self._driver = driver
        self._track = RegisterTrack(power_max_w=power_max_w, serial=serial)
        self._last: Look | None = None
        self._brackets: dict[int, Bracket] = {}
        self._known: dict[int, AtBoundary] = {}
        self._doubted: dict[int, MeterFault] = {}
        self._history = History()

    @property
    def limits(self) -> Limits:
        """The powers that the meter was last certified for."""
        return self._track.limits

    def certify(self, import_w: int, export_w: int) -> None:
        """Set the powers that the meter is certified for."""
        self._track.certify(import_w, export_w)

    def open(self, boundary_s: int) -> None:
        """Keep looks for a boundary from now on; the last look counts as the one before the boundary."""
        bracket = self._brackets.setdefault(boundary_s, Bracket(boundary_s * NS_PER_S))
        if self._last is not None:
            bracket.add(self._last)
        for oldest in sorted(self._brackets)[:-BRACKETS_MAX]:
            del self._brackets[oldest]

    async def read(self) -> None:
        """Read the meter once, and keep the reading or the fault."""
        try:
            read = await self._driver.read()
        except MeterFault as fault:
            self.fault = fault
        else:
            self.take(read)

    def take(self, read: RegisterRead) -> None:
        """Keep a reading if it can be right, or else the fault that was found."""
        try:
            believed = self._track.believe(read)
        except MeterFault as fault:
            self.fault = fault
            return
        self.fault = None
        if believed is None:
            return
        if believed.is_new_beginning:
            self._brackets = {boundary: Bracket(boundary * NS_PER_S) for boundary in self._brackets}
            self._history = History()
        self._last = believed.look
        for bracket in self._brackets.values():
            bracket.add(believed.look)

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Limit the device behind the meter, as `MeterDriver.instruct` does."""
        return await self._driver.instruct(limit_w, revert_s)

    async def close(self) -> None:
        """Close the driver."""
        await self._driver.close()

    def at(self, boundary_s: int, *, slot_s: int) -> AtBoundary | None:
        """Return both registers at a boundary, or None while its bracket is open."""
        if boundary_s not in self._known:
            bracket = self._brackets.get(boundary_s)
            if bracket is None or bracket.before is None or bracket.after is None:
                return None
            self._known[boundary_s] = at_boundary(
                bracket.before,
                bracket.after,
                boundary_s * NS_PER_S,
                import_w=self.limits.import_w,
                export_w=self.limits.export_w,
            )
            del self._brackets[boundary_s]
            self._judge_slot(boundary_s, slot_s)
            for oldest in sorted(self._known)[:-BRACKETS_MAX]:
                self._known.pop(oldest)
                self._doubted.pop(oldest, None)
        return self._known[boundary_s]

    def vouched(self, boundary_s: int, *, slot_s: int, skew_ns: int) -> Values | None:
        """Return the registers at a boundary if they are known closely enough and not in doubt."""
        at = self.at(boundary_s, slot_s=slot_s)
        doubt = self._doubted.get(boundary_s)
        if at is None or (doubt is not None and not doubt.row.counts):
            return None
        for off_wh, power_w in (
            (at.import_off_wh, self.limits.import_w),
            (at.export_off_wh, self.limits.export_w),
        ):
            if off_wh > tolerance_wh(power_w, resolution_wh=at.resolution_wh, skew_ns=skew_ns):
                return None
        return Values(at.import_wh, at.export_wh, at.resolution_wh)

    def forget(self, boundary_s: int) -> None:
        """Forget a boundary that no report needs any more."""
        self._brackets.pop(boundary_s, None)
        self._known.pop(boundary_s, None)
        self._doubted.pop(boundary_s, None)

    def fault_at(self, boundary_s: int) -> MeterFault | None:
        """Return what is wrong now, or else what is doubtful in the slot that ends at a boundary."""
        return self.fault or self._doubted.get(boundary_s)

    def is_open(self, boundary_s: int) -> bool:
        """Return whether a boundary still waits for a look after it."""
        bracket = self._brackets.get(boundary_s)
        return bracket is not None and not bracket.is_closed

    def _judge_slot(self, boundary_s: int, slot_s: int) -> None:
        before, now = self._known.get(boundary_s - slot_s), self._known[boundary_s]
        if before is None:
            return
        energies = now.import_wh - before.import_wh, now.export_wh - before.export_wh
        doubt = self._history.doubt(*energies)
        if doubt is not None:
            self._doubted[boundary_s] = doubt
        self._history.add(*energies)


class MeterPoller:
    """Reads all meters of one node."""

    def __init__(
        self,
        meters: Iterable[PolledMeter],
        board: HealthBoard,
        *,
        slot_s: int,
        skew_ns: int,
        in_flight: int,
    ) -> None:
        self.meters: Mapping[str, PolledMeter] = {meter.meter: meter for meter in meters}
        self._board = board
        self._slot_s = slot_s
        self._skew_ns = skew_ns
        # Faulty meters share a semaphore of their own, so that their deadlines do not delay the others.
        self._lanes = asyncio.Semaphore(in_flight), asyncio.Semaphore(in_flight)
        self._reading: dict[str, asyncio.Task[None]] = {}

    def certify(self, certified: Iterable[Certified]) -> None:
        """Set the certified powers of the meters that this node reads."""
        for one in certified:
            meter = self.meters.get(one.meter)
            if meter is not None:
                meter.certify(one.import_w, one.export_w)

    def open(self, boundary_s: int) -> None:
        """Keep looks for a boundary from now on."""
        for meter in self.meters.values():
            meter.open(boundary_s)

    async def sweep(self, names: Collection[str] | None = None, *, within_s: float) -> None:
        """Read meters; return when all have answered, or after `within_s` without the others."""
        chosen = self.meters if names is None else names
        for name in chosen:
            if name not in self._reading:
                task = asyncio.create_task(self._read(self.meters[name]))
                self._reading[name] = task
                task.add_done_callback(lambda _, name=name: self._reading.pop(name, None))
        tasks = [self._reading[name] for name in chosen if name in self._reading]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    def vouched(self, boundary_s: int) -> dict[str, Values]:
        """Return what this node vouches for at a boundary, by meter."""
        found: dict[str, Values] = {}
        for name, meter in self.meters.items():
            values = meter.vouched(boundary_s, slot_s=self._slot_s, skew_ns=self._skew_ns)
            if values is not None:
                found[name] = values
        return found

    def late(self, boundary_s: int) -> list[str]:
        """Return the meters whose bracket of a boundary is still open."""
        return [name for name, meter in self.meters.items() if meter.is_open(boundary_s)]

    def forget(self, boundary_s: int) -> None:
        """Forget a boundary that no report needs any more."""
        for meter in self.meters.values():
            meter.forget(boundary_s)

    async def report_health(self, boundary_s: int) -> None:
        """Put the health of each meter after a boundary on the board."""
        vouched = self.vouched(boundary_s)
        for name, meter in self.meters.items():
            fault = meter.fault_at(boundary_s)
            if fault is not None:
                await self._board.meter(name, fault.row.health, fault.sentence, at_s=boundary_s)
            elif name not in vouched:
                said = "The node could not read the meter closely enough to the slot's boundary."
                await self._board.meter(name, "late", said, at_s=boundary_s)
            else:
                said = "The node reads the meter, and its registers are plausible."
                await self._board.meter(name, "good", said, at_s=boundary_s)

    async def close(self) -> None:
        """Stop reading and close all drivers."""
        tasks: list[asyncio.Task[Any]] = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(meter.close() for meter in self.meters.values()))

    async def _read(self, meter: PolledMeter) -> None:
        async with self._lanes[0 if meter.fault is None else 1]:
            await meter.read()
