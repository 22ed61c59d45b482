"""A read model of records at hand, and how a document is asked of a schema over it.

Pages are cut as the read model cuts them: by the cursor of the last row seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import orjson
import strawberry
from strawberry.types import ExecutionResult

from api.access.table import Viewer
from api.features.accounts.reads import PostingRecord
from api.features.market.reads import AreaRecord, PriceRecord
from api.features.orders.reads import OrderRecord
from api.features.reads import ReadModel
from api.features.trades.reads import TradeRecord
from api.graphql.context import RequestContext
from api.graphql.fast_path.list_plan import Plans
from api.graphql.fast_path.selection import Unplanned
from api.graphql.guard.admission import Guard
from api.read_model.database import ReadRefused
from api.read_model.paging import Columns
from api.read_model.records import CheckpointRecord, Page
from api.services import Services
from ledger_network.port import Health

AREA = "lindenhof"
ALICE = "did:key:z6MkAlice"
BOB = "did:key:z6MkBob"
SLOT = 1_800_000_000

HOUSEHOLD = Viewer(ALICE, "HOUSEHOLD", None, AREA, "family")
DSO = Viewer("did:key:z6MkDso", "DSO", "NordGrid", AREA, "family")

R = TypeVar("R")


class ListedReads(ReadModel):
    """A read model that answers from lists of records."""

    def __init__(
        self,
        *,
        trades: Sequence[TradeRecord] = (),
        orders: Sequence[OrderRecord] = (),
        postings: Sequence[PostingRecord] = (),
        prices: Sequence[PriceRecord] = (),
    ) -> None:
        super().__init__(cast("Any", None))  # no database: every read is answered here
        self._trades = trades
        self._orders = orders
        self._postings = postings
        self._prices = prices

    async def checkpoint(self) -> CheckpointRecord:
        return CheckpointRecord(7, 0, SLOT, "channel", "commonwatt")

    async def area(self, area: str) -> AreaRecord | None:
        return AreaRecord(area, "NordGrid", 900, 0, SLOT, 1, demonstration=True)

    async def trades_of(self, area: str, did: str, **given: Any) -> Page[TradeRecord]:
        own = [each for each in self._trades if did in (each.buyer, each.seller)]
        return _page(_of_slot(own, given["slot"]), given)

    async def trades_of_slot(self, area: str, slot: int, **given: Any) -> Page[TradeRecord]:
        return _page(_of_slot(self._trades, slot), given)

    async def trade_columns(
        self, area: str, did: str, fields: Sequence[str], **given: Any
    ) -> Columns:
        return _columns(await self.trades_of(area, did, **given), fields)

    async def slot_trade_columns(
        self, area: str, slot: int, fields: Sequence[str], **given: Any
    ) -> Columns:
        return _columns(await self.trades_of_slot(area, slot, **given), fields)

    async def order_columns(
        self, area: str, trader: str, fields: Sequence[str], **given: Any
    ) -> Columns:
        return _columns(await self.orders_of(area, trader, **given), fields)

    async def orders_of(self, area: str, trader: str, **given: Any) -> Page[OrderRecord]:
        own = [each for each in self._orders if each.open or not given["open_only"]]
        return _page(_of_slot(own, given["slot"]), given)

    async def postings_of(self, area: str, owner: str, **given: Any) -> Page[PostingRecord]:
        own = [each for each in self._postings if each.account == owner]
        return _page(_of_slot(own, given["slot"]), given)

    async def count_trades(self, area: str, did: str, *, slot: int | None = None) -> int:
        return len((await self.trades_of(area, did, first=99, after=None, slot=slot)).rows)

    async def count_trades_of_slot(self, area: str, slot: int) -> int:
        return len(_of_slot(self._trades, slot))

    async def count_orders(
        self, area: str, trader: str, *, slot: int | None = None, open_only: bool = False
    ) -> int:
        given = {"first": 99, "after": None, "slot": slot, "open_only": open_only}
        return len((await self.orders_of(area, trader, **given)).rows)

    async def count_postings(self, area: str, owner: str, *, slot: int | None = None) -> int:
        return len((await self.postings_of(area, owner, first=99, after=None, slot=slot)).rows)

    async def prices(
        self, area: str, from_s: int, to_s: int, *, zone: str | None = None
    ) -> list[PriceRecord]:
        return [
            each
            for each in self._prices
            if from_s <= each.slot < to_s and zone in (None, each.zone)
        ]


def _of_slot(records: Sequence[R], slot: int | None) -> list[R]:
    return [each for each in records if slot is None or cast("Any", each).slot == slot]


def _page(records: Sequence[Any], given: Mapping[str, Any]) -> Page[Any]:
    cursors = [each.cursor for each in records]
    start = 0
    if given["after"] is not None:
        if given["after"] not in cursors:
            raise ReadRefused(given["after"])
        start = cursors.index(given["after"]) + 1
    end = start + given["first"]
    return Page(list(records[start:end]), end < len(records))


def _columns(page: Page[Any], fields: Sequence[str]) -> Columns:
    of = {field: [getattr(record, field) for record in page.rows] for field in fields}
    return Columns(of, page.more)


class StillLedger:
    """A ledger whose health is asked for and nothing else."""

    channel = "channel"
    contract = "commonwatt"

    async def health(self) -> Health:
        return Health("embedded", 8, writable=True, sentence="ready")


def services_over(read_model: ReadModel) -> Services:
    """Services that read from `read_model`."""

    def subscribe(_: Callable[[Any], None]) -> Callable[[], None]:
        return lambda: None

    return Services(
        ledger=cast("Any", StillLedger()),
        area=AREA,
        member="NordGrid",
        read_model=read_model,
        projection=cast("Any", SimpleNamespace(subscribe=subscribe)),
        settings=cast("Any", None),
        carriers={},
        accounts={},
    )


def ask(
    schema: strawberry.Schema,
    guard: Guard,
    services: Services,
    document: str,
    viewer: Viewer | None,
    *,
    variables: dict[str, object] | None = None,
    plans: Plans | None = None,
) -> ExecutionResult:
    """What `viewer` is answered, as the endpoint asks; without `plans` all by the schema."""
    reader = "STRANGER" if viewer is None else viewer.role
    admission = guard.admit(document, reader, variables=variables)
    plan = None if plans is None else plans.plan(admission.document, None)
    if plan is not None:
        try:
            answer = asyncio.run(plan.answer(services, viewer, variables or {}))
        except Unplanned:
            pass
        else:
            return ExecutionResult(orjson.loads(orjson.dumps(answer.data)), list(answer.errors))
    context = RequestContext(viewer, services, cast("Any", None), admission, None)
    return asyncio.run(
        cast(
            "Any",
            schema.execute(document, variable_values=variables, context_value=context),
        )
    )
