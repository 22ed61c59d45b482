"""Events and blocks: each once and in order, whatever happens to connections and peers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import grpc
import pytest

from ledger_network.fabric.gateway.block import header_hash
from ledger_network.fabric.gateway.checkpoint import (
    BadCheckpoint,
    Checkpoint,
    Checkpointer,
    FileCheckpointer,
    MemoryCheckpointer,
)
from ledger_network.fabric.gateway.errors import Outcome, StreamError
from ledger_network.fabric.gateway.streams import ChaincodeEvent
from tests.ledger_network.fabric.gateway import scripted
from tests.ledger_network.fabric.gateway.scripted import carry_on, refuse, vanish
from tests.ledger_network.fabric.gateway.stage import Stage, play

GONE = refuse(grpc.StatusCode.UNAVAILABLE, "the peer is stopping")


async def envelope(stage: Stage, function: bytes, payload: bytes) -> bytes:
    """A signed transaction that is not in a block yet; `event` emits one."""
    endorsed = await stage.gateway.endorse("market", [function, payload])
    return endorsed.envelope.SerializeToString()


async def block_of_events(stage: Stage, *payloads: bytes, codes: tuple[int, ...] = ()) -> None:
    entries = [await envelope(stage, b"event", payload) for payload in payloads]
    await stage.chain.commit(*entries, codes=codes)


async def take(events: AsyncGenerator[ChaincodeEvent], count: int) -> list[bytes]:
    return [(await anext(events)).payload for _ in range(count)]


def test_events_come_once_over_lost_connections_and_other_peers() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(6):
            await block_of_events(stage, b"%da" % number, b"%db" % number)
        stage.north.at_next("ChaincodeEvents", carry_on, carry_on, GONE, carry_on, vanish)
        stage.south.at_next("ChaincodeEvents", GONE)

        events = stage.gateway.chaincode_events("market", after=Checkpoint(0))
        seen = await take(events, 12)
        await block_of_events(stage, b"6a")
        seen += await take(events, 1)
        await events.aclose()

        assert seen == [b"%d%s" % (n, s) for n in range(6) for s in (b"a", b"b")] + [b"6a"]
        assert sum(stage.asked("ChaincodeEvents")) >= 4

    play(scene)


def test_only_events_of_valid_transactions_come() -> None:
    async def scene(stage: Stage) -> None:
        invalid = scripted.transaction_pb2.MVCC_READ_CONFLICT
        await block_of_events(stage, b"a", b"b", b"c", codes=(0, invalid, 0))

        events = stage.gateway.chaincode_events("market", after=Checkpoint(0))
        seen = await take(events, 2)
        await events.aclose()

        assert seen == [b"a", b"c"]

    play(scene)


def test_without_a_checkpoint_only_what_comes_is_told() -> None:
    async def scene(stage: Stage) -> None:
        await block_of_events(stage, b"old")
        events = stage.gateway.chaincode_events("market")
        first = asyncio.ensure_future(anext(events))
        await stage.north.was_asked("ChaincodeEvents")

        await block_of_events(stage, b"new")

        assert (await first).payload == b"new"
        await events.aclose()

    play(scene)


def places(folder: Path) -> list[Callable[[], Checkpointer]]:
    kept = MemoryCheckpointer()
    return [lambda: kept, lambda: FileCheckpointer(folder / "checkpoint.json")]


@pytest.mark.parametrize("number", range(2))
def test_checkpointer_gives_back_what_was_saved_last(number: int, tmp_path: Path) -> None:
    place = places(tmp_path)[number]
    assert place().load() is None

    for checkpoint in (Checkpoint(0), Checkpoint(7, "a"), Checkpoint(2**63, "b" * 64)):
        place().save(checkpoint)
        assert place().load() == checkpoint


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("dies_after", range(5))
def test_reader_that_dies_goes_on_behind_its_checkpoint(
    number: int, dies_after: int, tmp_path: Path
) -> None:
    async def scene(stage: Stage) -> None:
        await block_of_events(stage, b"0", b"1", b"2")
        await block_of_events(stage, b"3")
        await block_of_events(stage, b"4", b"5")
        place = places(tmp_path)[number]
        seen: list[bytes] = []
        place().save(Checkpoint(0))

        for stop in (dies_after, 6):
            events = stage.gateway.chaincode_events("market", after=place().load())
            while len(seen) < stop:
                event = await anext(events)
                seen.append(event.payload)
                place().save(event.checkpoint)
            await events.aclose()

        assert seen == [b"0", b"1", b"2", b"3", b"4", b"5"]

    play(scene)


def test_file_that_holds_no_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.json"
    file.write_bytes(b'{"block": "x"}')

    with pytest.raises(BadCheckpoint, match=r"checkpoint\.json"):
        FileCheckpointer(file).load()


def test_checkpoint_at_a_transaction_without_an_event() -> None:
    async def scene(stage: Stage) -> None:
        silent = await envelope(stage, b"put", b"x")
        around = [await envelope(stage, b"event", payload) for payload in (b"a", b"b")]
        await stage.chain.commit(around[0], silent, around[1])
        transaction = scripted.channel_header(silent).tx_id

        events = stage.gateway.chaincode_events("market", after=Checkpoint(0, transaction))
        seen = await take(events, 1)
        await events.aclose()

        assert seen == [b"b"]

    play(scene)


def test_checkpoint_of_another_channel_is_refused() -> None:
    async def scene(stage: Stage) -> None:
        await block_of_events(stage, b"a")

        events = stage.gateway.chaincode_events("market", after=Checkpoint(0, "00" * 32))
        with pytest.raises(BadCheckpoint, match="holds no transaction"):
            await anext(events)

    play(scene)


def test_stranger_gets_no_events() -> None:
    async def scene(stage: Stage) -> None:
        denied = refuse(grpc.StatusCode.PERMISSION_DENIED, "signature set did not satisfy policy")
        stage.north.at_next("ChaincodeEvents", denied)

        with pytest.raises(StreamError) as caught:
            await anext(stage.gateway.chaincode_events("market", after=Checkpoint(0)))

        assert caught.value.outcome is Outcome.FORBIDDEN

    play(scene)


def test_closing_the_client_ends_its_streams() -> None:
    async def scene(stage: Stage) -> None:
        waiting = asyncio.ensure_future(anext(stage.gateway.blocks(start=0)))
        await stage.north.was_asked("Deliver")

        await stage.gateway.close()

        with pytest.raises(StreamError, match="closed"):
            await waiting

    play(scene)


def test_blocks_are_a_chain_with_everything_in_them() -> None:
    async def scene(stage: Stage) -> None:
        mvcc = scripted.transaction_pb2.MVCC_READ_CONFLICT
        await block_of_events(stage, b"a", b"b", codes=(0, mvcc))
        await stage.chain.commit(await envelope(stage, b"put", b"c"))
        stage.north.at_next("Deliver", carry_on, GONE)

        stream = stage.gateway.blocks(start=0)
        first, second = await anext(stream), await anext(stream)
        await stream.aclose()

        assert (first.number, second.number) == (0, 1)
        assert second.previous_hash == first.hash
        assert first.intact
        assert second.intact
        one, other = first.transactions
        assert [one.code, other.code] == ["VALID", "MVCC_READ_CONFLICT"]
        assert (one.kind, one.creator, one.chaincode) == (
            "ENDORSER_TRANSACTION",
            "NorthMSP",
            "market",
        )
        assert (one.arguments, one.status, one.result) == ((b"event", b"a"), 200, b"event|a")
        assert (one.event_name, one.event_payload) == ("happened", b"a")
        assert one.endorsers == ("NorthMSP", "SouthMSP")
        assert (one.seconds, one.time.year) == (1_780_000_000.0, 2026)
        assert await stage.gateway.block(1) == second
        assert await stage.gateway.height(stage.south.endpoint) == 2

    play(scene)


@pytest.mark.parametrize(
    ("number", "integer"),
    [
        (0, "020100"),
        (127, "02017f"),
        (128, "02020080"),
        (255, "020200ff"),
        (2**63, "0209008000000000000000"),
    ],
)
def test_header_is_hashed_as_asn1_whose_integers_have_a_sign(number: int, integer: str) -> None:
    body = bytes.fromhex(integer) + b"\x04\x00" + b"\x04\x02xy"
    expected = hashlib.sha256(b"\x30" + bytes((len(body),)) + body).digest()

    assert header_hash(number, b"", b"xy") == expected


def test_transactions_that_are_not_the_headers_are_told() -> None:
    async def scene(stage: Stage) -> None:
        await block_of_events(stage, b"a")
        stage.chain.blocks[0].data.data[0] = await envelope(stage, b"event", b"b")

        assert not (await stage.gateway.block(0)).intact

    play(scene)


def test_filtered_blocks_from_the_next_on() -> None:
    async def scene(stage: Stage) -> None:
        await block_of_events(stage, b"old")
        stream = stage.gateway.filtered_blocks(endpoint=stage.south.endpoint)
        waiting = asyncio.ensure_future(anext(stream))
        await stage.south.was_asked("DeliverFiltered")

        done = await stage.gateway.submit("market", [b"put", b"k"])

        block = await waiting
        await stream.aclose()
        assert block.number == done.block == 1
        assert [(one.id, one.code) for one in block.transactions] == [(done.transaction, "VALID")]

    play(scene)


@pytest.mark.parametrize(
    ("status", "refused"),
    [("FORBIDDEN", True), ("BAD_REQUEST", True), ("NOT_FOUND", False)],
)
def test_status_of_deliver_ends_or_delays_the_stream(status: str, *, refused: bool) -> None:
    async def scene(stage: Stage) -> None:
        await block_of_events(stage, b"a")
        number = scripted.common_pb2.Status.Value(status)
        stage.north.status_once = number

        waiting = anext(stage.gateway.blocks(start=0, endpoint=stage.north.endpoint))
        if refused:
            with pytest.raises(StreamError, match=status):
                await waiting
        else:
            assert (await waiting).number == 0

    play(scene)
