"""How old an answer is, and what time it is in the market.

Every HTTP answer carries, as `extensions`, the block that it reflects, that block's time and
whether the ledger takes writes. What is asked of the ledger and of the read model for this is
kept until the projection commits, and for a second at most: another process may project.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from api.read_model.projection import Projection
from api.read_model.reads import UNREADABLE, ReadModel
from api.read_model.records import AreaRecord, Checkpoint
from chaincode.metering.reports import OracleSet
from ledger_network.port import Health, Ledger

KEPT_S = 1.0

T = TypeVar("T")


class _Kept(Generic[T]):
    """A value that is asked for again after `KEPT_S`, or once it is dropped."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._value: T | None = None
        self._until_s = 0.0

    def drop(self) -> None:
        """Ask anew next time."""
        self._until_s = 0.0

    async def get(self) -> T:
        """The value as it was asked for last."""
        value = self._value
        if value is None or time.monotonic() >= self._until_s:
            until_s = time.monotonic() + KEPT_S
            value = self._value = await self._ask()
            self._until_s = until_s
        return value


class Freshness:
    """The age of what the read model says, market time, and the health of the ledger behind it."""

    def __init__(
        self, *, ledger: Ledger, area: str, read_model: ReadModel, projection: Projection
    ) -> None:
        self._health = _Kept[Health](ledger.health)
        self._checkpoint = _Kept[Checkpoint](read_model.checkpoint)
        self._area = _Kept[AreaRecord | None](lambda: read_model.area(area))
        self._oracle = _Kept[OracleSet | None](self._ask_oracle)
        self._read_model = read_model
        self._name = area
        projection.subscribe(lambda _: self._moved())

    def _moved(self) -> None:
        self._checkpoint.drop()
        self._area.drop()
        self._oracle.drop()

    def drop(self) -> None:
        """Ask everything anew next time."""
        self._moved()
        self._health.drop()

    async def health(self) -> Health:
        """How the ledger is, at most a second old."""
        return await self._health.get()

    async def checkpoint(self) -> Checkpoint:
        """The last transaction that the read model holds."""
        return await self._checkpoint.get()

    async def area(self) -> AreaRecord | None:
        """The area with its clock; None before the read model knows it."""
        return await self._area.get()

    async def market_s(self) -> int:
        """Market time now, seconds UTC; real time before the area has a clock."""
        area = await self._area.get()
        now_s = int(time.time())
        return now_s if area is None or not area.rate else area.market_s(now_s)

    async def oracle(self) -> OracleSet | None:
        """The oracle's nodes now, or the first that will be; None where none were named."""
        return await self._oracle.get()

    async def _ask_oracle(self) -> OracleSet | None:
        area, market_s = await self.area(), await self.market_s()
        slot = market_s if area is None else market_s - market_s % area.slot_s
        return await self._read_model.oracle(self._name, slot)

    async def extensions(self) -> dict[str, object]:
        """`block`, `blockTime` (seconds UTC), `ageS` (seconds since then) and `writable`.

        Where the read model cannot be read an answer reflects no block: then only `writable`.
        """
        health = await self._health.get()
        try:
            checkpoint = await self._checkpoint.get()
        except UNREADABLE:
            return {"writable": health.writable}
        return {
            "block": checkpoint.block,
            "blockTime": checkpoint.time_s,
            "ageS": max(0, int(time.time()) - checkpoint.time_s),
            "writable": health.writable,
        }
