"""What a handler reads, writes and answers, against the scripted peer."""

from __future__ import annotations

from chaincode.shim import Rejected, Transaction
from tests.shim.peer import ScriptedPeer
from tests.shim.stand import PACKAGE_ID, echo, play, serve, stand


def test_arguments_come_in_and_bytes_go_out() -> None:
    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke(b"one", b"two")

        assert peer.package_id == PACKAGE_ID
        assert (answer.status, answer.payload) == (200, b"one two")

    serve(echo, scene)


def test_rejection_keeps_status_and_message() -> None:
    def handler(_: Transaction) -> bytes:
        raise Rejected("no: ¤ 😀", 409)

    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke()

        assert (answer.status, answer.message) == (409, "no: ¤ 😀")

    serve(handler, scene)


def test_put_and_get() -> None:
    def handler(transaction: Transaction) -> bytes:
        found = transaction.get_many(["a", "b"])
        transaction.put("a", b"1")
        transaction.put("b", b"2")
        return repr(found).encode()

    async def scene() -> None:
        async with stand(handler) as place, place.peer() as peer:
            first = await peer.invoke()
            second = await peer.invoke()

        assert first.payload == b"[None, None]"
        assert second.payload == b"[b'1', b'2']"
        assert peer.state == {"a": b"1", "b": b"2"}

    play(scene)
