"""Bench of a list of 100 trades with 8 fields: compares the API with a bare route.

uvicorn serves each of them in its own process, with one worker, over connections that stay open.
The bare route calls only `orjson.dumps` with the same answer. The API authenticates the caller,
guards the document, reads the rows (from SQLite, if its tables have changed since the last read)
and writes them. Meanwhile two orders per second are placed and projected in the API's process.
"""

from __future__ import annotations

import asyncio
import statistics

import orjson

from commonwatt.bench.figure import Figure
from commonwatt.bench.served import HOUSEHOLDS, NEIGHBOURS, Caller, served
from commonwatt.demonstration.cast import make_cast

ROUNDS = 7
REQUESTS = 600  # requests of one round
IN_FLIGHT = 4
REACH = 0.3
DOCUMENT = (
    "query List { myTrades(first: 100) { nodes "
    "{ id slot number side quantity buyPrice settled state } } }"
)


def graphql_list() -> list[Figure]:
    """Measure the rate of the list over the rate of the bare route."""
    with served() as api:
        answer, token = asyncio.run(_first(api.port))
        with served(bare=answer) as bare:
            rates = asyncio.run(_rates(api.port, bare.port, token))
    ratios = [listed / plain for listed, plain in rates]
    ratio = statistics.median(ratios)
    listed = statistics.median(rate for rate, _ in rates)
    plain = statistics.median(rate for _, rate in rates)
    return [
        Figure(
            name="graphql-list",
            value=ratio,
            unit="x",
            spread=(min(ratios), max(ratios)),
            against=f"a bare route of {plain:,.0f} a second; the API {listed:,.0f}",
            reach=f"at least {REACH} x",
            met=ratio >= REACH,
        )
    ]


async def _first(port: int) -> tuple[bytes, str]:
    """Return the API's answer to the seller, with all trades, and the seller's token."""
    stranger = Caller(port, token=None)
    token = await stranger.sign_in(make_cast(1, HOUSEHOLDS).homes[0].key)
    stranger.close()
    caller = Caller(port, token=token)
    answer = await caller.ask(caller.request(DOCUMENT))
    caller.close()
    if len(orjson.loads(answer)["data"]["myTrades"]["nodes"]) != NEIGHBOURS:
        raise RuntimeError("the API did not list all trades of the bench's seller")
    return answer, token


async def _rates(api: int, bare: int, token: str) -> list[tuple[float, float]]:
    """Return both rates, measured in turn."""
    callers = (Caller(api, token=token), Caller(bare, token=token))
    asked = [(caller, caller.request(DOCUMENT)) for caller in callers]
    rates: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        listed, plain = [
            await caller.rate(request, count=REQUESTS, in_flight=IN_FLIGHT)
            for caller, request in asked
        ]
        if number:  # the first round only warms up
            rates.append((listed, plain))
    for caller in callers:
        caller.close()
    return rates
