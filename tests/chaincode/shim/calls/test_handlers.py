"""What a handler reads, writes and answers, against the scripted peer."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from fabric_protos.peer import chaincode_shim_pb2

from chaincode.shim import Invocation, Rejected
from identity.keys import PrivateKey, SignatureCheck
from tests.chaincode.shim.peer import ROWS_A_REPLY, ScriptedPeer
from tests.chaincode.shim.proposals import (
    CHAINCODE,
    CHANNEL,
    TIMESTAMP_NANOS,
    TIMESTAMP_S,
    Kind,
    serialized_identity,
)
from tests.chaincode.shim.sample_contract import contract
from tests.chaincode.shim.stand import AUTHORITY, PACKAGE_ID, echo, play, serve, stand


async def said(peer: ScriptedPeer, *arguments: str) -> Any:
    """The answer of the sample contract, JSON that has to be a success."""
    answer = await peer.invoke(*(argument.encode() for argument in arguments))
    assert answer.status == 200, answer
    return json.loads(answer.payload)


def test_arguments_come_in_and_bytes_go_out() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke(b"one", b"", b"\xff")

        assert peer.package_id == PACKAGE_ID
        assert (answer.status, answer.payload) == (200, b"one  \xff")

    serve(echo, scene)


def test_transaction_knows_channel_id_name_and_time() -> None:
    def handler(invocation: Invocation) -> bytes:
        seen = (
            invocation.channel,
            invocation.id,
            invocation.chaincode,
            invocation.timestamp_s,
            invocation.timestamp_nanos,
            invocation.is_init,
        )
        return repr(seen).encode()

    async def scene(peer: ScriptedPeer) -> None:
        usual = await peer.invoke(transaction="t1")
        initial = await peer.invoke(transaction="t2", kind=Kind.INIT)

        times = (TIMESTAMP_S, TIMESTAMP_NANOS)
        assert usual.payload.decode() == repr((CHANNEL, "t1", CHAINCODE, *times, False))
        assert initial.payload.decode() == repr((CHANNEL, "t2", CHAINCODE, *times, True))

    serve(handler, scene)


def test_creator_and_transient_data_are_those_of_the_proposal() -> None:
    def handler(invocation: Invocation) -> bytes:
        creator = invocation.creator
        seen = (
            creator.msp_id,
            creator.units,
            dict(creator.attributes),
            dict(invocation.transient),
        )
        return repr(seen).encode()

    async def scene(peer: ScriptedPeer) -> None:
        pair = AUTHORITY.issue("user", units=("client", "north"), attributes={"role": "auditor"})
        creator = serialized_identity("NorthMSP", pair.certificate)
        answer = await peer.invoke(creator=creator, transient={"secret": b"\x00\x01"})

        seen = ("NorthMSP", ("client", "north"), {"role": "auditor"}, {"secret": b"\x00\x01"})
        assert answer.payload.decode() == repr(seen)

    serve(handler, scene)


def test_rejection_keeps_status_and_message() -> None:
    def handler(_: Invocation) -> bytes:
        raise Rejected("no: ¤ 😀\n" * 1000, 409)

    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke()

        assert (answer.status, answer.message) == (409, "no: ¤ 😀\n" * 1000)

    serve(handler, scene)


@pytest.mark.parametrize("status", [200, 399, 500])
def test_rejection_has_a_status_of_its_own_range(status: int) -> None:
    with pytest.raises(ValueError, match=f"not {status}"):
        Rejected("no", status)


@pytest.mark.parametrize(("writes_max", "keys_max"), [(1000, 1000), (2, 3), (0, 0), (1, 1)])
def test_rows_are_written_and_read_with_and_without_batches(writes_max: int, keys_max: int) -> None:
    async def scene() -> None:
        async with (
            stand(contract) as place,
            place.peer(writes_max=writes_max, keys_max=keys_max) as peer,
        ):
            await said(peer, "put", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
            await said(peer, "delete", "b")

            found = await said(peer, "get_many", "e", "absent", "a", "e", "b")

            assert found == ["5", None, "1", "5", None]
            assert await said(peer, "get", "c") == "3"
            assert peer.state == {"a": b"1", "c": b"3", "d": b"4", "e": b"5"}

    play(scene)


@pytest.mark.parametrize(
    ("rows_max", "rows", "messages"), [(1000, 1000, 1), (1000, 1001, 2), (2, 5, 3), (0, 3, 0)]
)
def test_batches_hold_no_more_rows_than_the_peer_takes(
    rows_max: int, rows: int, messages: int
) -> None:
    def handler(invocation: Invocation) -> bytes:
        keys = [f"{number:05d}" for number in range(rows)]
        invocation.get_many(keys)
        for key in keys:
            invocation.put(key, b"x")
        return b""

    async def scene() -> None:
        async with (
            stand(handler) as place,
            place.peer(writes_max=rows_max, keys_max=rows_max) as peer,
        ):
            await peer.invoke()

            assert len(peer.of_kind(Kind.WRITE_BATCH_STATE)) == messages
            assert len(peer.of_kind(Kind.GET_STATE_MULTIPLE)) == messages
            assert len(peer.state) == rows

    play(scene)


def test_batches_stay_below_the_size_of_a_message() -> None:
    def handler(invocation: Invocation) -> bytes:
        for number in range(10):
            invocation.put(f"{number}", b"x" * 20_000)
        return b""

    async def scene() -> None:
        async with stand(handler, message_bytes_max=100_000) as place, place.peer() as peer:
            answer = await peer.invoke()

            sizes = [message.ByteSize() for message in peer.of_kind(Kind.WRITE_BATCH_STATE)]
            assert answer.status == 200
            assert len(sizes) > 1
            assert max(sizes) < 100_000
            assert len(peer.state) == 10

    play(scene)


def test_last_write_of_a_row_counts_and_keeps_its_turn() -> None:
    def handler(invocation: Invocation) -> bytes:
        invocation.put("b", b"1")
        invocation.put("a", b"1")
        invocation.delete("b")
        invocation.delete("a")
        invocation.put("a", b"2")
        return b""

    async def scene(peer: ScriptedPeer) -> None:
        await peer.invoke()

        batch = chaincode_shim_pb2.WriteBatchState.FromString(
            peer.of_kind(Kind.WRITE_BATCH_STATE)[0].payload
        )
        assert [(record.key, record.value) for record in batch.rec] == [("b", b""), ("a", b"2")]
        assert peer.state == {"a": b"2"}

    serve(handler, scene)


def test_own_writes_are_not_read() -> None:
    def handler(invocation: Invocation) -> bytes:
        invocation.put("a", b"new")
        return invocation.get("a") or b"nothing"

    async def scene(peer: ScriptedPeer) -> None:
        assert (await peer.invoke()).payload == b"nothing"
        assert (await peer.invoke()).payload == b"new"

    serve(handler, scene)


def test_nothing_is_written_when_the_handler_fails() -> None:
    def handler(invocation: Invocation) -> bytes:
        invocation.put("a", b"1")
        invocation.emit("event", b"")
        if invocation.arguments[0] == b"reject":
            raise Rejected("no")
        raise ZeroDivisionError

    async def scene(peer: ScriptedPeer) -> None:
        rejected = await peer.invoke(b"reject")
        broken = await peer.invoke(b"break")

        assert (rejected.status, broken.status) == (400, 500)
        assert rejected.event is None
        assert broken.event is None
        assert {message.type for message in peer.received} == {Kind.REGISTER, Kind.COMPLETED}

    serve(handler, scene)


@pytest.mark.parametrize("count", [0, 1, ROWS_A_REPLY, ROWS_A_REPLY + 1, 3 * ROWS_A_REPLY])
def test_range_yields_every_row_in_order(count: int) -> None:
    async def scene(peer: ScriptedPeer) -> None:
        peer.state = {f"k{number:05d}": b"v" for number in range(count)} | {"a": b"", "z": b""}

        assert await said(peer, "get_range", "k", "l") == [
            [f"k{number:05d}", "v"] for number in range(count)
        ]
        assert not peer.of_kind(Kind.QUERY_STATE_CLOSE)

    serve(contract, scene)


def test_open_range_holds_all_simple_keys_and_no_composite_one() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        peer.state = {"\x00tree\x00oak\x00": b"1", "a": b"2", "😀": b"3"}

        assert await said(peer, "get_range", "", "") == [["a", "2"], ["😀", "3"]]

    serve(contract, scene)


def test_range_is_closed_when_the_reader_stops_early() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        peer.state = {f"k{number:05d}": b"v" for number in range(3 * ROWS_A_REPLY)}

        await said(peer, "get_first", "k", "l", "1")

        assert len(peer.of_kind(Kind.QUERY_STATE_CLOSE)) == 1
        assert not peer.of_kind(Kind.QUERY_STATE_NEXT)

    serve(contract, scene)


def test_range_that_was_read_to_its_last_reply_needs_no_closing() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        peer.state = {f"k{number:05d}": b"v" for number in range(ROWS_A_REPLY)}

        await said(peer, "get_first", "k", "l", "1")

        assert not peer.of_kind(Kind.QUERY_STATE_CLOSE)

    serve(contract, scene)


def test_range_left_open_does_not_outlive_its_transaction() -> None:
    left: list[object] = []

    def handler(invocation: Invocation) -> bytes:
        rows = invocation.range("k", "l")
        left.append(rows)
        return next(rows).value

    async def scene(peer: ScriptedPeer) -> None:
        peer.state = {f"k{number:05d}": b"v" for number in range(3 * ROWS_A_REPLY)}
        answer = await peer.invoke()
        left.clear()  # closed here, by the loop's own thread: it must not ask, nor wait
        again = await peer.invoke()

        assert (answer.status, again.status) == (200, 200)
        assert not peer.of_kind(Kind.QUERY_STATE_CLOSE)

    serve(handler, scene)


def test_two_ranges_are_read_side_by_side() -> None:
    def handler(invocation: Invocation) -> bytes:
        pairs = zip(invocation.range("a", "b"), invocation.range("b", "c"), strict=True)
        return b"%d" % sum(first.value == second.value for first, second in pairs)

    async def scene(peer: ScriptedPeer) -> None:
        for number in range(250):
            peer.state[f"a{number:03d}"] = peer.state[f"b{number:03d}"] = b"%d" % number

        assert (await peer.invoke()).payload == b"250"

    serve(handler, scene)


def test_pages_follow_each_other_by_bookmarks() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        peer.state = {f"k{number}": b"v" for number in range(5)}
        pages: list[list[str]] = []
        bookmark = ""
        while not pages or bookmark:
            found = await said(peer, "get_page", "k", "l", "2", bookmark)
            rows, bookmark = found
            pages.append([key for key, _ in rows])

        assert pages == [["k0", "k1"], ["k2", "k3"], ["k4"]]

    serve(contract, scene)


@pytest.mark.parametrize("rows_max", [0, -1, 2**31])
def test_page_without_a_sensible_size_is_refused(rows_max: int) -> None:
    def handler(invocation: Invocation) -> bytes:
        with pytest.raises(ValueError, match="a page has from 1"):
            invocation.page("a", "b", rows_max=rows_max)
        return b"refused"

    async def scene(peer: ScriptedPeer) -> None:
        assert (await peer.invoke()).payload == b"refused"

    serve(handler, scene)


def test_composite_keys_are_ranges_by_their_first_parts() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        for parts in (("north", "oak"), ("north", "élm", "😀"), ("northern", "fir"), ("south", "")):
            await said(peer, "put_composite", "tree", *parts)
        await said(peer, "put_composite", "trees", "north")

        assert await said(peer, "get_composite", "tree", "north") == [
            ["tree", ["north", "oak"]],
            ["tree", ["north", "élm", "😀"]],
        ]
        assert len(await said(peer, "get_composite", "tree")) == 4
        page = await said(peer, "get_composite_page", "tree", "3", "")
        assert [len(page[0]), page[1]] == [3, "\x00tree\x00south\x00\x00"]

    serve(contract, scene)


def test_history_tells_every_write_latest_first() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        await said(peer, "put", "a", "1")
        await said(peer, "put", "a", "2")
        await said(peer, "delete", "a")

        assert await said(peer, "history", "a") == [[None, True], ["2", False], ["1", False]]
        assert await said(peer, "history", "b") == []

    serve(contract, scene)


@pytest.mark.parametrize("batch", [1000, 0])
def test_private_rows_are_kept_apart_from_public_ones(batch: int) -> None:
    async def scene() -> None:
        async with stand(contract) as place, place.peer(writes_max=batch, keys_max=batch) as peer:
            peer.private["readings"] = {"q": b"other", "r": b"third"}
            await peer.invoke(b"put_private", b"p", transient={"value": b"hidden"})

            assert peer.state == {}
            assert peer.private["readings"]["p"] == b"hidden"
            found = await said(peer, "get_private", "readings", "p", "absent")
            assert found == ["hidden", ["hidden", None]]
            assert len(await said(peer, "get_private_range", "", "")) == 3
            digest, none = await said(peer, "hashes", "p", "absent")
            assert (digest, none) == (hashlib.sha256(b"hidden").hexdigest(), None)
            await said(peer, "delete_private", "p", "q")
            assert peer.private["readings"] == {"r": b"third"}

    play(scene)


@pytest.mark.parametrize("batch", [1000, 1, 0])
def test_purge_is_not_a_mere_deletion(batch: int) -> None:
    async def scene() -> None:
        async with stand(contract) as place, place.peer(writes_max=batch) as peer:
            peer.private["readings"] = {}
            await said(peer, "delete_private", "p", "q")

            kinds = [message.type for message in peer.received]
            if batch > 1:
                payload = peer.of_kind(Kind.WRITE_BATCH_STATE)[0].payload
                batch_sent = chaincode_shim_pb2.WriteBatchState.FromString(payload)
                kinds = [record.type for record in batch_sent.rec]
            assert [kind for kind in kinds if kind in {10, 23}] == [
                Kind.DEL_STATE,
                Kind.PURGE_PRIVATE_DATA,
            ]

    play(scene)


@pytest.mark.parametrize("batch", [1000, 1, 0])
def test_endorsement_policy_of_a_key_is_set_and_read(batch: int) -> None:
    async def scene() -> None:
        async with stand(contract) as place, place.peer(writes_max=batch) as peer:
            assert await said(peer, "get_policy", "a") is None
            await said(peer, "policy", "a", "strict")

            assert await said(peer, "get_policy", "a") == "strict"
            assert peer.state == {"a": b"guarded"}

    play(scene)


def test_other_chaincodes_are_called() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        found = await said(peer, "call", "other", "x", "y")

        assert found == [200, "", b"other:x,y".hex()]

    serve(contract, scene)


def test_event_goes_with_the_answer() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke(b"emit", b"happened", b"payload", transaction="t1")
        other = await peer.invoke(b"get", b"a")

        event = answer.event
        assert event is not None
        assert (event.chaincode_id, event.tx_id) == (CHAINCODE, "t1")
        assert (event.event_name, event.payload) == ("happened", b"payload")
        assert other.event is None

    serve(contract, scene)


def test_second_event_is_refused() -> None:
    def handler(invocation: Invocation) -> bytes:
        with pytest.raises(ValueError, match="name"):
            invocation.emit("", b"")
        invocation.emit("first", b"1")
        with pytest.raises(RuntimeError, match="one event"):
            invocation.emit("second", b"2")
        return b""

    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke()

        assert answer.event is not None
        assert answer.event.event_name == "first"

    serve(handler, scene)


def test_keys_and_values_that_peers_would_misread_are_not_sent() -> None:
    def handler(invocation: Invocation) -> bytes:
        private = invocation.private("c")
        for key in ("", "\x00", "\x00a", "\x00\x00a\x00", "\x00a\x00b", "\x00a\x00\U0010ffff\x00"):
            for call in (invocation.get, invocation.delete, private.get, private.purge):
                with pytest.raises(ValueError, match="key"):
                    call(key)
            with pytest.raises(ValueError, match="key"):
                invocation.put(key, b"1")
            with pytest.raises(ValueError, match="key"):
                invocation.get_many(["a", key])
            with pytest.raises(ValueError, match="key"):
                next(invocation.history(key))
        with pytest.raises(ValueError, match="empty value"):
            invocation.put("a", b"")
        with pytest.raises(ValueError, match="surrogates"):
            invocation.get("\ud800")
        with pytest.raises(ValueError, match="collection"):
            invocation.private("")
        with pytest.raises(ValueError, match="bound"):
            invocation.range("\x00a", "")
        return b"done"

    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke()

        assert answer.payload == b"done"
        assert {message.type for message in peer.received} == {Kind.REGISTER, Kind.COMPLETED}

    serve(handler, scene)


def test_many_signatures_are_checked() -> None:
    key = PrivateKey.from_seed(b"s" * 32)
    good = SignatureCheck("Ed25519", key.public.raw, b"message", key.sign(b"message"))
    bad = good._replace(message=b"another")

    def handler(invocation: Invocation) -> bytes:
        return repr(invocation.verify_many([good, bad] * 40)).encode()

    async def scene(peer: ScriptedPeer) -> None:
        assert (await peer.invoke()).payload.decode() == repr([True, False] * 40)

    serve(handler, scene)
