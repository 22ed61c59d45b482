"""A market in which every household trades: half of the households sell to the other half.

Every household places the same number of orders at one limit and of one quantity, so that each sell
order is matched with one buy order and the number of trades is known. Four fee rows apply to every
trade. What the meters show lets all trades be delivered, with some import and export besides.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from chaincode.area.fees import FeeRow
from chaincode.area.tariffs import FeesArguments
from chaincode.clearing.empty_slots import EmptyGatesArguments
from chaincode.metering.reports import (
    LEAVES_MAX,
    TRANSIENT_LEAVES,
    Leaf,
    ReportArguments,
    ValidatedArguments,
)
from chaincode.orders.sheets import SheetOrder
from chaincode.slots.gate import SlotAnswer, SlotArguments
from chaincode.state import Side
from commonwatt.bench.contract.watched import WatchedContract
from commonwatt.bench.market import BenchMarket, bench_market
from commonwatt.demonstration.cast import (
    AREA,
    DSO,
    GATE_LEAD_S,
    OPENS_S,
    ORACLE,
    SLOT_S,
    Cast,
    Home,
    make_cast,
)
from commonwatt.demonstration.duties.seeds import SeedDuties, submit_to
from identity.canonical import encode
from ledger_network.port import Member, Receipt
from meter_oracle.agreement.report import make_report, sign_report

TRADERS = 2_000
ORDERS_EACH = 5
POWER_W = 10_000  # of every meter both ways, and of the roof that makes it a plant
LIMITS: dict[Side, int] = {"buy": 200_000, "sell": 100_000}  # micro/kWh
ORDER_WH = 10
BESIDES_WH = 7  # imported or exported beyond what is traded
LESS_WH = BESIDES_WH + 5  # that a correction finds, so that a trade of the meter settles less
FIRST_WH = 1_000_000  # what every register shows at first
FEES = [
    FeeRow("grid", DSO, 34_400, 190_000),
    FeeRow("loss", DSO, 5_000, 190_000),
    FeeRow("levy", "levy", 10_000, 190_000, supplier=DSO),
    FeeRow("concession", "town", 1_200, 190_000, supplier=DSO),
]


M = TypeVar("M", bound="TradingMarket")


def trading_cast(traders: int) -> Cast:
    """Return a cast of households that can all import and export."""
    cast = make_cast(1, traders)
    return msgspec.structs.replace(cast, homes=[_with_roof(home) for home in cast.homes])


def _with_roof(home: Home) -> Home:
    profile = msgspec.structs.replace(
        home.profile, load_peak_w=POWER_W, pv_peak_w=POWER_W, pv_column="pv"
    )
    return msgspec.structs.replace(home, profile=profile)


def side_of(number: int) -> Side:
    """Return the side of a household; either side has as many households in each zone."""
    return "buy" if (number >> 1) % 2 else "sell"


class TradingMarket:
    """A founded market of which every slot from `first_slot` on may be traded by all households."""

    def __init__(self, market: BenchMarket, contract: WatchedContract, orders_each: int) -> None:
        self._market = market
        self._ledger = market.ledger
        self._seeds = SeedDuties(market.ledger, market.cast, submit_to(market.ledger))
        self._orders_each = orders_each
        self._shown = [[FIRST_WH, FIRST_WH] for _ in market.cast.homes]
        self._next = market.first_slot
        self.contract = contract
        self.first_slot = market.first_slot + OPENS_S + SLOT_S

    @property
    def folder(self) -> Path:
        """Where the ledger's files lie."""
        return self._market.folder

    @property
    def trades(self) -> int:
        """How many trades a slot has that all households trade."""
        return len(self._shown) * self._orders_each // 2

    async def post_fees(self, from_slot: int, *, surcharge: int = 0) -> None:
        """Post the four fee rows from a slot on, the first of them with a surcharge."""
        first = msgspec.structs.replace(FEES[0], rate=FEES[0].rate + surcharge)
        await self.submit("set_fees", FeesArguments(AREA, from_slot, [first, *FEES[1:]]), "admin")

    async def order(self, slot: int, *, orders_each: int | None = None) -> None:
        """Place the orders of all households in a slot that is made to be open."""
        market, count = self._market, orders_each or self._orders_each
        market.clock.now_s = slot - OPENS_S // 2
        sheets = [
            market.sheet_of(home, self.orders_of(home, slot, count))
            for home in range(len(self._shown))
        ]
        steps = sum(len(order.steps) for order in self.orders_of(0, slot, count))
        await market.place(sheets, steps_each=steps)

    def orders_of(self, home: int, slot: int, count: int) -> list[SheetOrder]:
        """Return a household's orders in a slot, so many."""
        side = side_of(home)
        steps = [(LIMITS[side], ORDER_WH)]
        return [SheetOrder(f"o{number}", side, slot, steps) for number in range(count)]

    async def skip_to(self, slot: int) -> None:
        """Close the empty slots before a slot, at the time of its gate."""
        self._market.clock.now_s = slot - GATE_LEAD_S
        if self._next < slot:
            await self.submit("close_empty_gates", EmptyGatesArguments(AREA, slot - SLOT_S))
        self._next = slot + SLOT_S

    async def clear(self, slot: int) -> None:
        """Close the gate of a slot, reveal the seeds, fold what is due and clear."""
        await self.submit("close_gate", SlotArguments(AREA, slot))
        await self._seeds.reveal(slot)
        await self._finish("clear_slot", slot, "CLEARED")

    async def measure(self, slot: int) -> None:
        """Report the registers at both ends of a slot, in which all trades are delivered."""
        self._market.clock.now_s = slot + SLOT_S
        for boundary in (slot, slot + SLOT_S):
            leaves = [self._leaf(home, boundary) for home in range(len(self._shown))]
            for at in range(0, len(leaves), LEAVES_MAX):
                await self._report(leaves[at : at + LEAVES_MAX], boundary)
            if boundary == slot:
                self._deliver()

    def _deliver(self) -> None:
        for number, shown in enumerate(self._shown):
            shown[side_of(number) == "sell"] += self._orders_each * ORDER_WH + BESIDES_WH

    def _leaf(self, home: int, boundary: int) -> Leaf:
        import_wh, export_wh = self._shown[home]
        return Leaf(
            boundary=boundary,
            export_wh=export_wh,
            import_wh=import_wh,
            meter=self._market.cast.homes[home].meter,
            resolution_wh=1,
            salt=self._market.cast.draw.bytes32("bench salt", home).hex(),
        )

    async def _report(self, leaves: Sequence[Leaf], boundary: int) -> None:
        cast, ledger = self._market.cast, self._ledger
        body, ordered = make_report(
            leaves,
            area=AREA,
            boundary=boundary,
            oracle=cast.oracle,
            channel=ledger.channel,
            contract=ledger.contract,
        )
        signed = sign_report(body, ordered, cast.oracle_keys)
        arguments: ReportArguments = signed.arguments
        await ledger.submit(
            "record_readings", arguments, member=Member(ORACLE), transient=signed.transient
        )

    async def settle(self, slot: int) -> None:
        """Settle a slot to its last entry."""
        await self._finish("settle_slot", slot, "SETTLED")

    async def validate(self, slot: int, *, meters: int) -> None:
        """Let the DSO validate other registers at the end of a slot, of so many meters."""
        cast, ledger = self._market.cast, self._ledger
        every = len(self._shown) // meters
        report, ordered = make_report(
            [self._less(number * every, slot + SLOT_S) for number in range(meters)],
            area=AREA,
            boundary=slot + SLOT_S,
            oracle=cast.oracle,
            channel=ledger.channel,
            contract=ledger.contract,
        )
        arguments = ValidatedArguments(AREA, slot + SLOT_S, report.count, report.root)
        transient = {TRANSIENT_LEAVES: encode(ordered)}
        await ledger.submit(
            "record_validated_readings", arguments, member=Member(DSO), transient=transient
        )

    def _less(self, home: int, boundary: int) -> Leaf:
        """Return a leaf that shows a few Wh less of what the household trades."""
        leaf = self._leaf(home, boundary)
        if side_of(home) == "sell":
            return msgspec.structs.replace(leaf, export_wh=leaf.export_wh - LESS_WH)
        return msgspec.structs.replace(leaf, import_wh=leaf.import_wh - LESS_WH)

    async def correct(self, slot: int) -> None:
        """Correct a settled slot."""
        await self._finish("correct_slot", slot, "SETTLED")

    async def submit(
        self, name: str, arguments: msgspec.Struct, role: str = "client", *, member: str = DSO
    ) -> Receipt:
        """Submit a transaction, by the DSO unless another member is named."""
        caller = Member(member, "admin") if role == "admin" else Member(member)
        return await self._ledger.submit(name, arguments, member=caller)

    async def _finish(self, name: str, slot: int, phase: str) -> None:
        """Take the steps of a run until the slot has reached a phase and no run is left."""
        while True:
            receipt = await self.submit(name, SlotArguments(AREA, slot))
            answer = receipt.read(SlotAnswer)
            if answer.phase == phase and not answer.step:
                return


@asynccontextmanager
async def trading_market(
    traders: int = TRADERS, *, orders_each: int = ORDERS_EACH
) -> AsyncGenerator[TradingMarket]:
    """Yield a founded market in which `traders` trade, a multiple of four.

    Then each zone has as many buyers as sellers.
    """
    async with market_of(TradingMarket, trading_cast(traders), orders_each=orders_each) as market:
        yield market


@asynccontextmanager
async def market_of(kind: type[M], cast: Cast, *, orders_each: int) -> AsyncGenerator[M]:
    """Yield a founded market whose four fee rows hold from its first traded slot on."""
    contract = WatchedContract()
    async with bench_market(len(cast.homes), cast=cast, contract=contract) as market:
        trading = kind(market, contract, orders_each)
        await trading.post_fees(trading.first_slot)
        yield trading
