"""Bench of the mutation `placeOrders`, compared with the ledger's own `submit`.

Both times end with the receipt. The API runs in this process with a real socket, so that both ways
reach the same durable ledger. The ways alternate, with one order each.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import orjson

from chaincode.orders.sheets import SheetOrder, TokensArguments
from commonwatt.bench.figure import Figure
from commonwatt.bench.market import BenchMarket, bench_market
from commonwatt.bench.served import Caller, serve_until, services_of
from commonwatt.demonstration.cast import RETAILERS, SLOT_S
from ledger_network.port import Member

HOUSEHOLDS = 4
PAIRS = 320
WARM = 10  # pairs that are not timed
SLOTS = 12  # open slots, which get orders in turn, so that no row becomes full
REACH = 1.3
DOCUMENT = "mutation Place($t: [String!]!) { placeOrders(tokens: $t) { code transaction block } }"


def write() -> list[Figure]:
    """Measure the time of the mutation over the time of the submit."""
    pairs = asyncio.run(_write())[WARM:]
    ratio = statistics.median(api for api, _ in pairs) / statistics.median(own for _, own in pairs)
    parts = [pairs[at :: len(pairs) // 8] for at in range(len(pairs) // 8)]
    ratios = [
        statistics.median(api for api, _ in part) / statistics.median(own for _, own in part)
        for part in parts
    ]
    own_ms = statistics.median(own for _, own in pairs) * 1000
    return [
        Figure(
            name="write",
            value=ratio,
            unit="x",
            spread=(min(ratios), max(ratios)),
            against=f"the ledger's own submit of one order, {own_ms:.1f} ms",
            reach=f"at most {REACH} x",
            met=ratio <= REACH,
        )
    ]


async def _write() -> list[tuple[float, float]]:
    pairs: list[tuple[float, float]] = []
    async with bench_market(HOUSEHOLDS) as market, services_of(market) as services:
        stop = asyncio.Event()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve_until(services, stop, port.set_result))
        stranger = Caller(await port, token=None)
        caller = Caller(await port, token=await stranger.sign_in(market.cast.homes[0].key))
        for number in range(PAIRS + WARM):
            through_api = caller.request(DOCUMENT, {"t": [_sheet(market, 0, number)]})
            began = time.perf_counter()
            answer = await caller.ask(through_api)
            between = time.perf_counter()
            arguments = TokensArguments([_sheet(market, 1, number)])
            signed = time.perf_counter()
            await market.ledger.submit("place_orders", arguments, member=Member(RETAILERS[0]))
            pairs.append((between - began, time.perf_counter() - signed))
            if orjson.loads(answer)["data"]["placeOrders"][0]["code"] != "PLACED":
                raise RuntimeError("the API did not take the order of the bench")
        caller.close()
        stranger.close()
        stop.set()
        await serving
    return pairs


def _sheet(market: BenchMarket, home: int, number: int) -> str:
    slot = market.first_slot + number % SLOTS * SLOT_S
    return market.sheet(home, SheetOrder(f"w{number}", "buy", slot, [(100_000, 1)]))
