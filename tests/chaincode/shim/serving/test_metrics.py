"""What operators see: every transaction, call, byte and stream is counted once."""

from __future__ import annotations

import logging

import pytest

from chaincode.shim.serving.metrics import InvocationOutcome
from tests.chaincode.shim.peer import ROWS_A_REPLY
from tests.chaincode.shim.proposals import Kind
from tests.chaincode.shim.sample_contract import contract
from tests.chaincode.shim.stand import PACKAGE_ID, Stand, play, stand


def outcomes(place: Stand) -> dict[str, float]:
    found = {
        outcome.value: place.figure("chaincode_transactions_total", outcome=outcome.value)
        for outcome in InvocationOutcome
    }
    return {name: count for name, count in found.items() if count}


def test_transactions_are_counted_by_outcome_and_calls_by_kind() -> None:
    async def scene() -> None:
        async with stand(contract) as place, place.peer() as peer:
            peer.state = {f"k{number:05d}": b"v" for number in range(ROWS_A_REPLY + 1)}
            await peer.invoke(b"put", b"a", b"1")
            await peer.invoke(b"get_range", b"k", b"l")
            await peer.invoke(b"nothing")
            await peer.invoke(b"fail", b"x")
            sent = sum(message.ByteSize() for message in peer.received)

            assert outcomes(place) == {"answered": 2, "rejected": 1, "failed": 1}
            assert place.figure("chaincode_transaction_seconds_count") == 4
            for kind in (Kind.WRITE_BATCH_STATE, Kind.GET_STATE_BY_RANGE, Kind.QUERY_STATE_NEXT):
                name = Kind.Name(kind).lower()
                assert place.figure("chaincode_peer_calls_total", kind=name) == 1
            assert place.figure("chaincode_stream_bytes_total", direction="sent") == sent
            assert place.figure("chaincode_stream_bytes_total", direction="received") > 1000
            assert place.figure("chaincode_streams") == 1
            assert place.figure("chaincode_transactions_running") == 0

    play(scene)


def test_log_tells_streams_and_transactions_by_their_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "chaincode.shim")

    async def scene() -> None:
        async with stand(contract) as place, place.peer() as peer:
            await peer.invoke(b"put", b"a", b"1", transaction="t1")

    play(scene)
    assert f"serving {PACKAGE_ID}" in caplog.text
    assert "is ready" in caplog.text
    assert "transaction t1 of channel channel: answered" in caplog.text
    assert "has ended" in caplog.text
