"""Kills the leading orderer while orders arrive, and measures the stall and lost orders.

The other orderers notice that the leader does not order their requests, elect another leader and
continue; all transactions in between wait. The killed orderer is not restarted, because a restart
would hide how long the others take without it. Afterwards the ledger must hold each acknowledged
order exactly once.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from chaincode.orders.handlers import OrdersChanged
from chaincode.orders.sheets import SheetOrder, TokensArguments
from chaincode.queries.market import OpenOrdersAnswer
from chaincode.slots.gate import SlotArguments
from commonwatt.bench.fabric.market import SENDERS, FabricMarket, fabric_market
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import AREA, DSO, SLOT_S
from ledger_network.fabric.consortium.definition import Node
from ledger_network.fabric.operations.network import Network
from ledger_network.port import Conflict, Invalid, Member, Position, Receipt, Unknown

RUNS = 3
TRADERS = 100  # a batch has one order of each trader for one slot
SENDERS_AT_ONCE = 6  # each has its own slots, because a trader's own batches would conflict
SLOTS_EACH = 2
SLOTS = SENDERS_AT_ONCE * SLOTS_EACH  # from the first of the market on
ORDERS_EACH = 45  # orders of a trader in a slot; a row holds 50
BEFORE, AFTER = 20, 20  # batches acknowledged before the leader is killed, and begun after it
LOAD_MAX_S = 120.0
STALL_MAX_S = 7.0
METRICS_MAX_S = 5.0
_LEADS = re.compile(rb"^consensus_BFT_is_leader\{[^}]*\} 1$", re.MULTILINE)


class Order(NamedTuple):
    """The key of an order."""

    did: str
    slot: int
    name: str


class Load(msgspec.Struct):
    """The batches sent and acknowledged so far; times come from `time.perf_counter`.

    `last` is the position of the last transaction that placed orders.
    """

    acknowledged: set[Order] = msgspec.field(default_factory=set[Order])
    answered: list[tuple[float, float]] = msgspec.field(default_factory=list[tuple[float, float]])
    last: Position = Position(0, 0)
    repeated: int = 0
    changed: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    ended: bool = False

    async def until(self, count: int, *, begun_s: float = 0.0) -> None:
        """Wait until `count` batches that were sent at `begun_s` or later are acknowledged."""
        while sum(1 for began, _ in self.answered if began >= begun_s) < count:
            self.changed.clear()
            await self.changed.wait()

    def stall_s(self) -> float:
        """Return the longest time in which nothing was acknowledged."""
        times = sorted(ended for _, ended in self.answered)
        return max(later - earlier for earlier, later in itertools.pairwise(times))


def fabric_failover() -> list[Figure]:
    """Measure the longest stall between acknowledged batches when the leading orderer is killed."""
    return asyncio.run(_fabric_failover())


async def _fabric_failover() -> list[Figure]:
    stalls: list[float] = []
    orders = repeated = 0
    wrong: list[str] = []
    for _ in range(RUNS):
        async with fabric_market(TRADERS) as market:
            load = await orders_under(market, kill_leader)
            stalls.append(load.stall_s())
            orders += len(load.acknowledged)
            repeated += load.repeated
            wrong.extend(await faults_of(market, load))
    value = max(stalls)
    kept = "; ".join(wrong) or "none lost, none twice"
    return [
        Figure(
            name="fabric-failover",
            value=value,
            unit="s",
            spread=(min(stalls), max(stalls)),
            against=(
                f"{orders:,} acknowledged orders, {kept}; median stall "
                f"{statistics.median(stalls):.1f} s; {repeated} batches were sent again"
            ),
            reach=f"under {STALL_MAX_S:g} s, nothing lost",
            met=value < STALL_MAX_S and not wrong,
        )
    ]


Strike = Callable[[Network], Awaitable[None]]
"""A function that does something to a network while orders arrive."""


async def kill_leader(network: Network) -> None:
    """Kill the leading orderer without a shutdown; it is not restarted."""
    await network.stop((await leading(network)).name, at_once=True)


async def orders_under(market: FabricMarket, strike: Strike) -> Load:
    """Send orders from all senders, kill the leader, and wait until orders are taken again."""
    load = Load()
    async with asyncio.timeout(LOAD_MAX_S), asyncio.TaskGroup() as group:
        for sender in range(SENDERS_AT_ONCE):
            group.create_task(_send(market, load, sender))
        await load.until(BEFORE)
        struck_s = time.perf_counter()
        await strike(market.network)
        await load.until(AFTER, begun_s=struck_s)
        load.ended = True
    return load


async def _send(market: FabricMarket, load: Load, sender: int) -> None:
    """Send batch after batch by one member, and repeat each until it is acknowledged."""
    member = Member(SENDERS[sender % len(SENDERS)])
    for slot, name in _turns(market, sender):
        if load.ended:
            return
        order = SheetOrder(name, "buy", slot, [(100_000, 1)])
        homes = range(len(market.cast.homes))
        arguments = TokensArguments([market.sheet(home, order) for home in homes])
        began = time.perf_counter()
        receipt = await _receipt(market, load, arguments, member)
        answer = receipt.result
        if answer.count(b'"PLACED"') + answer.count(b'"EXISTS"') != len(homes):
            raise RuntimeError(f"not every sheet was taken: {answer[:300]!r}")
        if b'"PLACED"' in answer:
            load.last = max(load.last, Position(receipt.block, receipt.index))
        load.answered.append((began, time.perf_counter()))
        load.acknowledged.update(Order(home.did, slot, name) for home in market.cast.homes)
        load.changed.set()
    raise RuntimeError("the orders of the bench have run out")


async def _receipt(
    market: FabricMarket, load: Load, arguments: TokensArguments, member: Member
) -> Receipt:
    """Send a batch until it is acknowledged; repeat it if the outcome is unknown or missing.

    Any client may repeat a batch: the answer for a sheet that was taken already is EXISTS.
    """
    while True:
        try:
            return await market.ledger.submit("place_orders", arguments, member=member)
        except (Conflict, Invalid, Unknown):
            load.repeated += 1


def _turns(market: FabricMarket, sender: int) -> Iterator[tuple[int, str]]:
    """Yield slot and name of the orders of one sender, in its own slots."""
    for number in range(ORDERS_EACH):
        for index in range(SLOTS_EACH):
            place = sender * SLOTS_EACH + index
            yield market.first_slot + place * SLOT_S, f"o{number}"


async def faults_of(market: FabricMarket, load: Load) -> list[str]:
    """Return the faults of the orders that the ledger holds in the slots of `market`."""
    held: set[Order] = set()
    slots = [market.first_slot + place * SLOT_S for place in range(SLOTS)]
    for slot in slots:
        answer = await market.ledger.evaluate(
            "list_open_orders", SlotArguments(AREA, slot), member=Member(DSO)
        )
        listed = msgspec.json.decode(answer, type=OpenOrdersAnswer)
        held.update(Order(one.trader, slot, one.order.id) for one in listed.orders)
    lost = len(load.acknowledged - held)
    twice = await _placed(market, slots, load.last) - len(held)
    said = [f"{lost} orders lost"] if lost else []
    return said + ([f"{twice} orders placed twice"] if twice else [])


async def _placed(market: FabricMarket, slots: Sequence[int], last: Position) -> int:
    """Return how many orders in `slots` the transactions up to `last` have placed, by their events.

    A batch of the load has orders of one slot.
    """
    count = 0
    async for happened in market.ledger.events():
        for event in happened.events:
            if event.name == "orders_changed":
                changed = msgspec.json.decode(event.data, type=OrdersChanged)
                if any(slot in slots for _, slot in changed.slots):
                    count += changed.count
        if happened.position >= last:
            break
    return count


async def leading(network: Network) -> Node:
    """Return the orderer that reports that it leads."""
    for node in network.consortium.nodes("orderer"):
        if _LEADS.search(await asyncio.to_thread(_metrics, node)):
            return node
    raise RuntimeError("no orderer says that it leads")


def _metrics(node: Node) -> bytes:
    connection = http.client.HTTPConnection(
        node.site.host, node.operations_port, timeout=METRICS_MAX_S
    )
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()
    finally:
        connection.close()
