"""What must hold of any channel, over a client and nothing else: scripted peers or a network."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.errors import EvaluateError


async def chain_is_whole(gateway: Gateway) -> None:
    """Each block follows the one before and holds what its header says, and none is missing."""
    height = await gateway.height()
    previous = b""
    async with aclosing(gateway.blocks(start=0)) as blocks:
        for number in range(height):
            block = await anext(blocks)
            assert (block.number, block.previous_hash) == (number, previous)
            assert block.intact
            previous = block.hash


async def filtered_blocks_say_the_same(gateway: Gateway) -> None:
    """Filtered blocks hold the ids and judgements of the whole ones."""
    height = await gateway.height()
    async with (
        aclosing(gateway.blocks(start=0)) as blocks,
        aclosing(gateway.filtered_blocks(start=0)) as filtered,
    ):
        for _ in range(height):
            whole, short = await anext(blocks), await anext(filtered)
            assert short.number == whole.number
            assert [(one.id, one.code, one.kind) for one in short.transactions] == [
                (one.id, one.code, one.kind) for one in whole.transactions
            ]


async def every_peer_finds_the_last_transaction(gateway: Gateway) -> None:
    """By its id, each endpoint gives the block and the transaction that the stream gave."""
    last = await gateway.block(await gateway.height() - 1)
    for endpoint in gateway.endpoints:
        for one in last.transactions:
            assert await gateway.block_of(one.id, endpoint=endpoint) == last
            assert await gateway.transaction(one.id, endpoint=endpoint) == one


async def what_is_not_there_is_an_error(gateway: Gateway) -> None:
    """A block behind the last and an id that nobody used raise."""
    with pytest.raises(EvaluateError):
        await gateway.block(1 << 40)
    with pytest.raises(EvaluateError):
        await gateway.transaction("00" * 32)


SCENARIOS = (
    chain_is_whole,
    filtered_blocks_say_the_same,
    every_peer_finds_the_last_transaction,
    what_is_not_there_is_an_error,
)
