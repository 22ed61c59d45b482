"""One node's meters: when each is looked at, what of it the node vouches for.

Before and after a boundary all meters are swept, some at a time; one that has not answered when the
sweep ends is looked at again until its bracket closes. A look that contradicts the one before is
left out; when it goes on saying so the meter has a new beginning (an exchange), and nothing that
spans it is vouched for.

Drivers are opened with the node's market clock: the times of their reads are market time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from meter_oracle.agreement.consensus import Values, tolerance_wh
from meter_oracle.drivers.driver import MeterDriver, MeterFault
from meter_oracle.health.board import HealthBoard
from meter_oracle.readings.boundary import AtBoundary, Bracket, Look, at_boundary
from meter_oracle.readings.plausibility import Doubt, History, Limits, doubt_between, unroll
from meter_oracle.schedule import NS_PER_S

BRACKETS_MAX = 200  # boundaries of one meter that are kept open or known
STRANGE_LOOKS = 3  # as many in a row that agree with each other are a new beginning
SILENT = "METER_SILENT"


class MeterWatch:
    """One meter as one node has seen it."""

    def __init__(
        self,
        meter: str,
        driver: MeterDriver,
        *,
        serial: str = "",
        rollover_wh: int = 0,
        power_max_w: int = 69_000,
    ) -> None:
        self.meter = meter
        self.serial = serial
        self.driver = driver
        self.fault: tuple[str, str] | None = None
        self.doubt: Doubt | None = None
        self._rollover_wh = rollover_wh
        self._limits = Limits(power_max_w, power_max_w, rollover_wh)
        self._last: Look | None = None
        self._strange: list[Look] = []
        self._brackets: dict[int, Bracket] = {}
        self._known: dict[int, AtBoundary] = {}
        self._doubted: dict[int, Doubt] = {}
        self._history = History()

    @property
    def limits(self) -> Limits:
        """What the meter is certified for, as last told."""
        return self._limits

    def certify(self, import_w: int, export_w: int) -> None:
        """The meter's certified powers from now on."""
        self._limits = Limits(import_w, export_w, self._rollover_wh)

    def open(self, boundary_s: int) -> None:
        """From now on looks are kept for a boundary; the last one there is counts as before it."""
        bracket = self._brackets.setdefault(boundary_s, Bracket(boundary_s * NS_PER_S))
        if self._last is not None:
            bracket.add(self._last)
        for oldest in sorted(self._brackets)[:-BRACKETS_MAX]:
            del self._brackets[oldest]

    def add(self, look: Look) -> None:
        """Take a look, or find it strange."""
        look = unroll(look, self._last, self._limits)
        if self._last is not None and look.at_ns < self._last.at_ns:
            return
        self.doubt = None if self._last is None else doubt_between(self._last, look, self._limits)
        if self.doubt is not None and not self._is_new_beginning(look):
            return
        self._strange.clear()
        self._last = look
        for bracket in self._brackets.values():
            bracket.add(look)

    def at(self, boundary_s: int, *, slot_s: int) -> AtBoundary | None:
        """Both registers at a boundary, None while its bracket is open."""
        if boundary_s not in self._known:
            bracket = self._brackets.get(boundary_s)
            if bracket is None or bracket.before is None or bracket.after is None:
                return None
            self._known[boundary_s] = at_boundary(
                bracket.before,
                bracket.after,
                boundary_s * NS_PER_S,
                import_w=self._limits.import_w,
                export_w=self._limits.export_w,
            )
            del self._brackets[boundary_s]
            self._judge(boundary_s, slot_s)
            for oldest in sorted(self._known)[:-BRACKETS_MAX]:
                self._known.pop(oldest)
                self._doubted.pop(oldest, None)
        return self._known[boundary_s]

    def vouched(self, boundary_s: int, *, slot_s: int, skew_ns: int) -> Values | None:
        """The registers at a boundary, if they are known well enough and nothing is wrong."""
        at = self.at(boundary_s, slot_s=slot_s)
        doubt = self._doubted.get(boundary_s)
        if at is None or (doubt is not None and doubt.is_fatal):
            return None
        limits = self._limits
        for off_wh, power_w in (
            (at.import_off_wh, limits.import_w),
            (at.export_off_wh, limits.export_w),
        ):
            if off_wh > tolerance_wh(power_w, resolution_wh=at.resolution_wh, skew_ns=skew_ns):
                return None
        return Values(at.import_wh, at.export_wh, at.resolution_wh)

    def forget(self, boundary_s: int) -> None:
        """Forget a boundary that no report needs any more."""
        self._brackets.pop(boundary_s, None)
        self._known.pop(boundary_s, None)
        self._doubted.pop(boundary_s, None)

    def doubt_at(self, boundary_s: int) -> Doubt | None:
        """What was found about the slot that ends at a boundary."""
        return self._doubted.get(boundary_s)

    def is_open(self, boundary_s: int) -> bool:
        """Whether a boundary still waits for a look behind it."""
        bracket = self._brackets.get(boundary_s)
        return bracket is not None and not bracket.is_closed

    def _is_new_beginning(self, look: Look) -> bool:
        if self._strange and doubt_between(self._strange[-1], look, self._limits) is not None:
            self._strange.clear()
        self._strange.append(look)
        if len(self._strange) < STRANGE_LOOKS:
            return False
        self._brackets = {  # nothing may span the break
            boundary: Bracket(boundary * NS_PER_S) for boundary in self._brackets
        }
        self._history = History()
        return True

    def _judge(self, boundary_s: int, slot_s: int) -> None:
        before, now = self._known.get(boundary_s - slot_s), self._known[boundary_s]
        if before is None:
            return
        energies = now.import_wh - before.import_wh, now.export_wh - before.export_wh
        doubt = self._history.doubt(*energies)
        if doubt is not None:
            self._doubted[boundary_s] = doubt
        self._history.add(*energies)


class Watch:
    """All meters of one node."""

    def __init__(
        self,
        meters: Iterable[MeterWatch],
        board: HealthBoard,
        *,
        slot_s: int,
        skew_ns: int,
        in_flight: int,
    ) -> None:
        self.meters: Mapping[str, MeterWatch] = {meter.meter: meter for meter in meters}
        self._board = board
        self._slot_s = slot_s
        self._skew_ns = skew_ns
        # Meters in trouble wait in a lane of their own: their deadlines must not delay the others.
        self._lanes = asyncio.Semaphore(in_flight), asyncio.Semaphore(in_flight)
        self._reading: dict[str, asyncio.Task[None]] = {}

    def open(self, boundary_s: int) -> None:
        """Keep looks for a boundary."""
        for meter in self.meters.values():
            meter.open(boundary_s)

    async def sweep(self, names: Collection[str] | None = None, *, within_s: float) -> None:
        """Look at meters; return when all have answered, or after `within_s` without the others."""
        chosen = self.meters if names is None else names
        for name in chosen:
            if name not in self._reading:
                task = asyncio.create_task(self._look(self.meters[name]))
                self._reading[name] = task
                task.add_done_callback(lambda _, name=name: self._reading.pop(name, None))
        tasks = [self._reading[name] for name in chosen if name in self._reading]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    def vouched(self, boundary_s: int) -> dict[str, Values]:
        """What this node vouches for at a boundary."""
        found: dict[str, Values] = {}
        for name, meter in self.meters.items():
            values = meter.vouched(boundary_s, slot_s=self._slot_s, skew_ns=self._skew_ns)
            if values is not None:
                found[name] = values
        return found

    def late(self, boundary_s: int) -> list[str]:
        """Meters whose bracket of a boundary is still open."""
        return [name for name, meter in self.meters.items() if meter.is_open(boundary_s)]

    def forget(self, boundary_s: int) -> None:
        """Forget a boundary that no report needs any more."""
        for meter in self.meters.values():
            meter.forget(boundary_s)

    async def tell(self, boundary_s: int) -> None:
        """Say how each meter is after a boundary."""
        vouched = self.vouched(boundary_s)
        for name, meter in self.meters.items():
            doubt = meter.doubt or meter.doubt_at(boundary_s)
            if meter.fault is not None:
                code, sentence = meter.fault
                state = "silent" if code == SILENT else "faulty"
                await self._board.meter(name, state, sentence, at_s=boundary_s)
            elif doubt is not None:
                await self._board.meter(name, "suspect", doubt.sentence, at_s=boundary_s)
            elif name not in vouched:
                said = "It has not been read closely enough to the slot's boundary."
                await self._board.meter(name, "late", said, at_s=boundary_s)
            else:
                await self._board.meter(name, "good", "It is read and plausible.", at_s=boundary_s)

    async def close(self) -> None:
        """Stop reading and let go of all drivers."""
        tasks: list[asyncio.Task[Any]] = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(meter.driver.close() for meter in self.meters.values()))

    async def _look(self, meter: MeterWatch) -> None:
        async with self._lanes[0 if meter.fault is None else 1]:
            try:
                read = await meter.driver.read()
            except MeterFault as fault:
                meter.fault = fault.code, fault.sentence
                return
        if meter.serial and read.serial and read.serial != meter.serial:
            meter.fault = (
                "METER_SERIAL",
                f"It says that it is {read.serial}, not {meter.serial}: it was exchanged.",
            )
            return
        meter.fault = None
        meter.add(
            Look(
                at_ns=read.read_at_ns,
                uncertainty_ns=read.uncertainty_ns,
                import_wh=read.import_wh,
                export_wh=read.export_wh,
                resolution_wh=read.resolution_wh,
            )
        )
