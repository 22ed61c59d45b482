"""What a reader of events sees of a transaction on Fabric: what was asked, and what was answered."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import pytest

from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import TokensArguments
from ledger_network.fabric.gateway.block import Block, BlockTransaction
from ledger_network.fabric.ledger.port_blocks import committed_events_in
from ledger_network.port import Position
from tests.ledger_network.fabric.grounds import DSO, StandingNetwork

EVENTS_S = 30
EVENTS = b'[{"data":{"key":"a"},"name":"put"}]'


def transaction(
    identifier: str, *arguments: bytes, code: str = "VALID", chaincode: str = "notes"
) -> BlockTransaction:
    return BlockTransaction(
        id=identifier,
        kind="ENDORSER_TRANSACTION",
        code=code,
        seconds=12.9,
        creator="North",
        chaincode=chaincode,
        arguments=arguments,
        status=200,
        result=b"7",
        event_name="put",
        event_payload=EVENTS,
    )


def test_a_fabric_transaction_shows_its_member_arguments_and_result() -> None:
    block = Block(
        3,
        b"",
        b"",
        b"",
        intact=True,
        transactions=(
            transaction("lost", b"put", b'{"key":"b"}', code="MVCC_READ_CONFLICT"),
            transaction("other", b"put", b'{"key":"c"}', chaincode="elsewhere"),
            transaction("mine", b"put", b'{"key":"a"}'),
            transaction("bare", b"put"),
        ),
    )

    mine, bare = committed_events_in(block, "notes")

    assert (mine.position, mine.transaction, mine.member) == (Position(3, 2), "mine", "North")
    assert (mine.name, mine.arguments, mine.result) == ("put", b'{"key":"a"}', b"7")
    assert mine.time_s == 12
    assert bare.arguments == b""


@pytest.mark.network
def test_orders_on_fabric_stand_in_the_event_with_their_answers(network: StandingNetwork) -> None:
    async def scene() -> None:
        async with network.ledger(network.profile(DSO)) as ledger:
            receipt = await network.place(ledger)
            before = Position(receipt.block, receipt.index - 1)
            async with contextlib.aclosing(ledger.events(after=before)) as events:
                async with asyncio.timeout(EVENTS_S):
                    happened = await anext(events)
        assert happened.transaction == receipt.transaction
        assert happened.result == receipt.result
        tokens = msgspec.json.decode(happened.arguments, type=TokensArguments).tokens
        assert len(tokens) == len(receipt.read(TokensAnswer).answers)

    network.run(scene())
