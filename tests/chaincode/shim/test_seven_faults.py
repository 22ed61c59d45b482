"""Seven faults that a Python shim was seen to have in production; a test each that ours has none."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path

import pytest

from chaincode.shim import Invocation, ServerSettings, SettingsFault
from chaincode.shim.serving.server import connection_options
from tests.chaincode.shim.peer import DEADLINE_S, ScriptedPeer
from tests.chaincode.shim.proposals import Kind, serialized_identity
from tests.chaincode.shim.sample_contract import contract
from tests.chaincode.shim.stand import AUTHORITY, PACKAGE_ID, play, serve, stand

SECRET = "hush-7f3a"


def test_first_many_transactions_at_once_share_one_writer() -> None:
    # Every handler waits for all others, so that all calls are on their way at the same time.
    together = threading.Barrier(30)

    def handler(invocation: Invocation) -> bytes:
        together.wait(DEADLINE_S)
        found = [invocation.get(f"{invocation.id}{number}") for number in range(10)]
        invocation.put(invocation.id, b"written")
        return b"%d" % len(found)

    async def scene(peer: ScriptedPeer) -> None:
        answers = await asyncio.gather(*(peer.invoke() for _ in range(30)))

        assert [(answer.status, answer.payload) for answer in answers] == [(200, b"10")] * 30
        assert len(peer.state) == 30
        assert len(peer.of_kind(Kind.GET_STATE)) == 300

    serve(handler, scene)


@pytest.mark.parametrize("batch", [1000, 0])
def test_second_error_of_the_peer_is_no_success(batch: int) -> None:
    async def scene() -> None:
        async with stand(contract) as place, place.peer(writes_max=batch) as peer:
            kind = Kind.WRITE_BATCH_STATE if batch else Kind.PUT_STATE
            peer.scripts[kind] = lambda call: [peer.reply(call, b"no room", Kind.ERROR)]
            written = await peer.invoke(b"put", b"a", b"1")
            read = await peer.invoke(b"get_private", b"nowhere", b"a")
            swallowed = await peer.invoke(b"swallow", b"nowhere")

            assert written.status == read.status == swallowed.status == 500
            assert f"PeerError at {Kind.Name(kind)}" in written.message
            assert "PeerError at GET_STATE" in swallowed.message

    play(scene)


def test_third_events_transient_data_private_rows_policies_calls_attributes_and_pages_work() -> (
    None
):
    async def scene(peer: ScriptedPeer) -> None:
        peer.private["readings"] = {}
        pair = AUTHORITY.issue("user", attributes={"role": "auditor"})
        creator = serialized_identity("NorthMSP", pair.certificate)
        event = await peer.invoke(b"emit", b"name", b"payload")
        who = await peer.invoke(b"who", creator=creator)
        await peer.invoke(b"put_private", b"p", transient={"value": b"kept"})
        await peer.invoke(b"policy", b"a", b"strict")
        page = await peer.invoke(b"get_page", b"a", b"z", b"1", b"")
        called = await peer.invoke(b"call", b"other", b"x")

        assert event.event is not None
        assert json.loads(who.payload)[2] == {"role": "auditor"}
        assert peer.private["readings"] == {"p": b"kept"}
        assert peer.metadata == {("", "a"): b"strict"}
        assert json.loads(page.payload) == [[["a", "guarded"]], ""]
        assert json.loads(called.payload) == [200, "", b"other:x".hex()]
        assert not {Kind.PUT_STATE, Kind.PUT_STATE_METADATA} & {m.type for m in peer.received}

    serve(contract, scene)


def test_fourth_pings_of_peers_every_minute_are_welcome() -> None:
    # gRPC reads these once and tells nobody; a peer that pings is in test_pings.py.
    settings = ServerSettings(address="127.0.0.1:0", package_id=PACKAGE_ID, plaintext=True)
    options = dict(connection_options(settings))

    assert options["grpc.http2.min_ping_interval_without_data_ms"] < 60_000 / 2
    assert options["grpc.http2.max_ping_strikes"] == 0
    assert options["grpc.keepalive_permit_without_calls"] == 1


def test_fifth_tls_is_not_optional() -> None:
    with pytest.raises(SettingsFault, match="CHAINCODE_TLS_CERT_FILE"):
        ServerSettings(address="127.0.0.1:0", package_id=PACKAGE_ID)


def test_sixth_no_value_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene(peer: ScriptedPeer) -> None:
        secret = SECRET.encode()
        peer.private["readings"] = {SECRET: secret}
        await peer.invoke(b"put", secret, secret)
        await peer.invoke(b"get", secret)
        await peer.invoke(b"put_private", b"p", transient={"value": secret})
        await peer.invoke(b"swallow", secret)
        await peer.invoke(b"emit", b"name", secret)
        failed = await peer.invoke(b"fail", secret)

        assert failed.status == 500
        assert "KeyError" in failed.message
        assert SECRET not in failed.message

    serve(contract, scene)
    assert "KeyError" in caplog.text
    assert Path(__file__).with_name("sample_contract.py").name in caplog.text
    assert SECRET not in caplog.text


def test_seventh_large_messages_pass_and_every_fault_is_answered_at_once() -> None:
    size_bytes = 8 * 2**20  # twice gRPC's default

    def handler(invocation: Invocation) -> bytes:
        found = invocation.get("large") or b""
        if invocation.arguments[0] == b"exit":
            raise SystemExit
        invocation.put("copy", found)
        return found + invocation.arguments[0]

    async def scene(peer: ScriptedPeer) -> None:
        peer.state["large"] = b"x" * size_bytes
        answer = await peer.invoke(b"y" * size_bytes)
        left = await peer.invoke(b"exit")

        assert (answer.status, len(answer.payload)) == (200, 2 * size_bytes)
        assert len(peer.state["copy"]) == size_bytes
        assert (left.status, left.message) == (500, "The transaction failed: SystemExit.")

    serve(handler, scene)
