"""The age of an answer, and market time.

Every HTTP answer has in its `extensions` the block that it reflects, the time of this block, and
whether the ledger takes writes. These values from the ledger and the read model are cached until
the projection commits, but for a second at most, because another process may run the projection.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from api.features.market.reads import AreaRecord
from api.features.reads import ReadModel
from api.live.projection import Projection
from api.read_model.database import UNREADABLE
from api.read_model.records import CheckpointRecord
from chaincode.metering.oracles import OracleSet
from ledger_network.port import Health, Ledger

KEPT_S = 1.0

T = TypeVar("T")


class _Kept(Generic[T]):
    """A cached value, which is read again after `KEPT_S` or after `drop`."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._value: T | None = None
        self._until_s = 0.0

    def drop(self) -> None:
        """Drop the value, so that the next `get` reads it again."""
        self._until_s = 0.0

    def held(self) -> T | None:
        """Return the cached value; None if it has to be read again."""
        return None if time.monotonic() >= self._until_s else self._value

    async def get(self) -> T:
        """Return the cached value, or read it again if it is too old."""
        value = self.held()
        if value is None:
            until_s = time.monotonic() + KEPT_S
            value = self._value = await self._ask()
            self._until_s = until_s
        return value


class Freshness:
    """The age of the read model, market time, and the health of the ledger."""

    def __init__(
        self, *, ledger: Ledger, area: str, read_model: ReadModel, projection: Projection
    ) -> None:
        self._health = _Kept[Health](ledger.health)
        self._checkpoint = _Kept[CheckpointRecord](read_model.checkpoint)
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
        """Drop all cached values, so that each is read again next time."""
        self._moved()
        self._health.drop()

    async def health(self) -> Health:
        """Return the health of the ledger, at most a second old."""
        return await self._health.get()

    async def checkpoint(self) -> CheckpointRecord:
        """Return the last transaction that the read model holds."""
        return await self._checkpoint.get()

    async def area(self) -> AreaRecord | None:
        """Return the area with its clock; None until the read model knows the area."""
        return await self._area.get()

    async def market_s(self) -> int:
        """Return market time now, seconds UTC; real time until the area has a clock."""
        area = await self._area.get()
        now_s = int(time.time())
        return now_s if area is None or not area.rate else area.market_s(now_s)

    async def oracle(self) -> OracleSet | None:
        """Return the oracle nodes of now, else the first later ones; None if there are no nodes."""
        return await self._oracle.get()

    async def _ask_oracle(self) -> OracleSet | None:
        area, market_s = await self.area(), await self.market_s()
        slot = market_s if area is None else market_s - market_s % area.slot_s
        return await self._read_model.oracle(self._name, slot)

    async def extensions(self) -> dict[str, object]:
        """Return `block`, `blockTime` (seconds UTC), `ageS` (seconds since then) and `writable`.

        If the read model cannot be read, the answer reflects no block and has only `writable`.
        """
        health = self._health.held() or await self._health.get()
        try:
            checkpoint = self._checkpoint.held() or await self._checkpoint.get()
        except UNREADABLE:
            return {"writable": health.writable}
        return {
            "block": checkpoint.block,
            "blockTime": checkpoint.time_s,
            "ageS": max(0, int(time.time()) - checkpoint.time_s),
            "writable": health.writable,
        }
