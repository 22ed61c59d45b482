"""Streams, queues and threads: what is bounded, what ends when, and that nobody waits in vain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from chaincode.shim import (
    Invocation,
    PeerError,
    Rejected,
    ReplyTimeout,
    ShimFault,
    TransactionOver,
)
from chaincode.shim.faults import BUSY, TIMED_OUT
from tests.chaincode.shim.peer import DEADLINE_S, ScriptedPeer
from tests.chaincode.shim.proposals import Kind, Message, transaction_message
from tests.chaincode.shim.stand import Stand, echo, play, serve, stand


class Gate:
    """Holds handlers until it is opened, and tells how many have come."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._come = threading.Semaphore(0)
        self.faults: list[BaseException] = []

    def hold(self) -> None:
        """In a handler: wait until the gate is opened."""
        self._come.release()
        assert self._open.wait(DEADLINE_S)

    def open(self) -> None:
        self._open.set()

    async def come(self, count: int) -> None:
        """Wait until `count` more handlers have come."""
        for _ in range(count):
            assert await asyncio.to_thread(self._come.acquire, timeout=DEADLINE_S)

    def asking(self, invocation: Invocation) -> bytes:
        """A handler that notes how its call fails."""
        self._come.release()
        try:
            return invocation.get("a") or b""
        except ShimFault as fault:
            self.faults.append(fault)
            raise
        finally:
            self._come.release()


def silent(_: Message) -> Sequence[Message]:
    return ()


def test_keep_alive_is_answered_before_and_after_registration() -> None:
    async def scene() -> None:
        async with stand(echo) as place, place.peer(registers=False) as peer:
            await peer.send(Message(type=Kind.KEEPALIVE))
            await peer.arrival(Kind.KEEPALIVE, 1)
            await peer.send(Message(type=Kind.REGISTERED), Message(type=Kind.READY))
            await peer.send(Message(type=Kind.KEEPALIVE))
            await peer.arrival(Kind.KEEPALIVE, 2)

            assert (await peer.invoke(b"x")).payload == b"x"

    play(scene)


def test_several_peers_are_served_at_once() -> None:
    gate = Gate()

    def handler(invocation: Invocation) -> bytes:
        gate.hold()
        return invocation.get("who") or b""

    async def scene() -> None:
        async with stand(handler) as place, place.peer() as one, place.peer(keys_max=0) as other:
            one.state["who"], other.state["who"] = b"one", b"other"
            calls = [
                asyncio.create_task(peer.invoke(transaction="same", channel=channel))
                for peer in (one, other)
                for channel in ("c1", "c2")
            ]
            await gate.come(4)
            gate.open()
            answers = await asyncio.gather(*calls)

            assert [answer.payload for answer in answers] == [b"one", b"one", b"other", b"other"]
            assert place.figure("chaincode_streams") == 2

    play(scene)


def test_more_transactions_than_may_wait_are_answered_at_once() -> None:
    gate = Gate()

    def handler(_: Invocation) -> bytes:
        gate.hold()
        return b"done"

    async def scene() -> None:
        async with (
            stand(handler, concurrency=2, waiting_max=3) as place,
            place.peer() as peer,
        ):
            taken = [asyncio.create_task(peer.invoke()) for _ in range(5)]
            await gate.come(2)
            await figure(place, "chaincode_transactions_waiting", 3)
            busy = await peer.invoke()

            assert (busy.status, busy.message[:21]) == (BUSY, "The chaincode is busy")
            assert place.figure("chaincode_transactions_running") == 2
            gate.open()
            assert {answer.payload for answer in await asyncio.gather(*taken)} == {b"done"}
            assert (await peer.invoke()).status == 200
            await figure(place, "chaincode_transactions_running", 0)
            assert place.figure("chaincode_transactions_total", outcome="busy") == 1

    play(scene)


async def figure(place: Stand, name: str, value: float) -> None:
    """Let the loop turn until a metric has a value."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(DEADLINE_S):
        while place.figure(name) != value:
            turn: asyncio.Future[None] = loop.create_future()
            loop.call_soon(turn.set_result, None)
            await turn


def test_reply_that_does_not_come_fails_the_call_and_the_transaction() -> None:
    gate = Gate()

    def handler(invocation: Invocation) -> bytes:
        with pytest.raises(ReplyTimeout, match="GET_STATE"):
            invocation.get("a")
        with pytest.raises(ReplyTimeout):
            gate.asking(invocation)
        return b"as if nothing had happened"

    async def scene() -> None:
        async with stand(handler, reply_timeout_s=0.05) as place, place.peer() as peer:
            peer.scripts[Kind.GET_STATE] = silent
            answer = await peer.invoke()

            assert answer.status == 500
            assert "ReplyTimeout" in answer.message
            assert len(peer.of_kind(Kind.GET_STATE)) == 1

    play(scene)


def test_transaction_over_its_time_is_answered_and_its_late_calls_fail() -> None:
    gate = Gate()
    late: list[BaseException] = []

    def handler(invocation: Invocation) -> bytes:
        gate.hold()
        try:
            invocation.get("a")
        except TransactionOver as fault:
            late.append(fault)
        return b"late"

    async def scene() -> None:
        async with (
            stand(handler, transaction_timeout_s=0.05, concurrency=1) as place,
            place.peer() as peer,
        ):
            answer = await peer.invoke()
            waiting = await peer.invoke()  # its thread is still taken

            assert answer.status == waiting.status == TIMED_OUT
            assert "within 0.05 s" in answer.message
            gate.open()
            await figure(place, "chaincode_transactions_running", 0)
            assert len(late) == 1
            assert len(peer.of_kind(Kind.COMPLETED)) == 2
            assert not peer.of_kind(Kind.GET_STATE)

    play(scene)


def test_open_calls_fail_when_their_transaction_is_over_its_time() -> None:
    gate = Gate()

    async def scene() -> None:
        async with stand(gate.asking, transaction_timeout_s=0.05) as place, place.peer() as peer:
            peer.scripts[Kind.GET_STATE] = silent
            answer = await peer.invoke()
            await gate.come(2)

            assert answer.status == TIMED_OUT
            assert [type(fault) for fault in gate.faults] == [TransactionOver]

    play(scene)


@pytest.mark.parametrize("end", [ScriptedPeer.hang_up, ScriptedPeer.close_channel])
def test_calls_fail_and_threads_get_free_when_the_stream_ends(
    end: Callable[[ScriptedPeer], Awaitable[None]],
) -> None:
    gate = Gate()

    async def scene() -> None:
        async with stand(gate.asking, concurrency=1) as place:
            async with place.peer() as peer:
                peer.scripts[Kind.GET_STATE] = silent
                await peer.send(transaction_message("t1", []), transaction_message("t2", []))
                await peer.arrival(Kind.GET_STATE)
                await end(peer)
                await gate.come(2)
            async with place.peer() as again:
                assert (await again.invoke()).status == 200

            assert [type(fault) for fault in gate.faults] == [TransactionOver]
            assert place.figure("chaincode_transactions_total", outcome="cancelled") == 2

    play(scene)


def test_error_of_the_peer_without_a_call_ends_the_transaction() -> None:
    gate = Gate()
    seen: list[BaseException] = []

    def handler(invocation: Invocation) -> bytes:
        invocation.get("a")
        gate.hold()
        try:
            invocation.get("a")
        except PeerError as fault:
            seen.append(fault)
        return b"as if nothing had happened"

    async def scene(peer: ScriptedPeer) -> None:
        call = asyncio.create_task(peer.invoke(transaction="t1"))
        await gate.come(1)
        first = peer.of_kind(Kind.GET_STATE)[0]
        await peer.send(peer.reply(first, b"gone", Kind.ERROR))
        await peer.send(Message(type=Kind.KEEPALIVE))
        await peer.arrival(Kind.KEEPALIVE)
        gate.open()

        assert (await call).status == 500
        assert [str(fault) for fault in seen] == ["the peer refused nothing: gone"]

    serve(handler, scene)


def test_reply_without_a_call_is_never_taken_for_another() -> None:
    gate = Gate()

    def handler(invocation: Invocation) -> bytes:
        first = invocation.get("a")
        gate.hold()
        return (first or b"") + (invocation.get("b") or b"")

    async def scene(peer: ScriptedPeer) -> None:
        peer.state["a"] = b"1"
        call = asyncio.create_task(peer.invoke())
        await gate.come(1)
        await peer.send(peer.reply(peer.of_kind(Kind.GET_STATE)[0], b"2"))
        await peer.send(Message(type=Kind.KEEPALIVE))
        await peer.arrival(Kind.KEEPALIVE)  # so the second reply has been read
        gate.open()
        answer = await call

        assert (answer.status, answer.payload) == (500, b"")
        assert len(peer.of_kind(Kind.GET_STATE)) == 1

    serve(handler, scene)


def read_pages(invocation: Invocation) -> object:
    return invocation.page("a", "b", rows_max=1)


UNREADABLE: list[tuple[Kind.ValueType, Callable[[Invocation], object]]] = [
    (Kind.GET_STATE_MULTIPLE, lambda invocation: invocation.get_many(["a", "b"])),
    (Kind.GET_STATE_BY_RANGE, lambda invocation: list(invocation.range("a", "b"))),
    (Kind.GET_STATE_BY_RANGE, read_pages),
    (Kind.GET_HISTORY_FOR_KEY, lambda invocation: list(invocation.history("a"))),
    (Kind.GET_STATE_METADATA, lambda invocation: invocation.endorsement_policy("a")),
    (Kind.INVOKE_CHAINCODE, lambda invocation: invocation.call("other", [])),
]


@pytest.mark.parametrize(("kind", "call"), UNREADABLE)
def test_reply_that_cannot_be_read_fails_the_transaction(
    kind: Kind.ValueType, call: Callable[[Invocation], object]
) -> None:
    def handler(invocation: Invocation) -> bytes:
        with pytest.raises(PeerError, match="cannot be read"):
            call(invocation)
        return b"as if nothing had happened"

    async def scene(peer: ScriptedPeer) -> None:
        peer.scripts[kind] = lambda message: [peer.reply(message, b"\xff\xff\xff")]
        answer = await peer.invoke()

        assert (answer.status, answer.message[-len(Kind.Name(kind)) - 1 : -1]) == (
            500,
            Kind.Name(kind),
        )

    serve(handler, scene)


def test_too_few_values_fail_the_transaction() -> None:
    def handler(invocation: Invocation) -> bytes:
        return repr(invocation.get_many(["a", "b"])).encode()

    async def scene(peer: ScriptedPeer) -> None:
        peer.scripts[Kind.GET_STATE_MULTIPLE] = lambda call: [peer.reply(call, b"\x0a\x011")]

        assert (await peer.invoke()).status == 500

    serve(handler, scene)


def test_calls_from_other_threads_and_after_the_end_are_refused() -> None:
    kept: list[Invocation] = []
    seen: list[BaseException] = []

    def other(invocation: Invocation) -> None:
        with pytest.raises(RuntimeError, match="own thread") as caught:
            invocation.get("a")
        seen.append(caught.value)

    def handler(invocation: Invocation) -> bytes:
        kept.append(invocation)
        thread = threading.Thread(target=other, args=(invocation,))
        thread.start()
        thread.join(DEADLINE_S)
        return b""

    async def scene(peer: ScriptedPeer) -> None:
        assert (await peer.invoke()).status == 200
        with pytest.raises(TransactionOver):
            kept[0].get("a")

        assert len(seen) == 1
        assert not peer.of_kind(Kind.GET_STATE)

    serve(handler, scene)


@pytest.mark.parametrize("answer", ["text", None, bytearray(b"x")])
def test_answer_that_is_no_bytes_fails_and_writes_nothing(answer: object) -> None:
    def handler(invocation: Invocation) -> bytes:
        invocation.put("a", b"1")
        return answer  # pyright: ignore[reportReturnType] -- what a careless handler does

    async def scene(peer: ScriptedPeer) -> None:
        got = await peer.invoke()

        assert (got.status, got.message) == (500, "The transaction failed: TypeError.")
        assert peer.state == {}

    serve(handler, scene)


def test_answer_or_call_over_the_limit_fails_its_transaction_only() -> None:
    def handler(invocation: Invocation) -> bytes:
        if invocation.arguments[0] == b"write":
            invocation.put("a", b"x" * 100_000)
        elif invocation.arguments[0] == b"answer":
            return b"x" * 100_000
        return b""

    async def scene() -> None:
        async with stand(handler, message_bytes_max=65_536) as place, place.peer() as peer:
            written = await peer.invoke(b"write")
            answered = await peer.invoke(b"answer")

            assert (written.status, answered.status) == (500, 500)
            assert "MessageTooLarge" in written.message
            assert (await peer.invoke(b"nothing")).status == 200

    play(scene)


def test_message_over_the_limit_ends_its_stream_and_no_other() -> None:
    async def scene() -> None:
        async with (
            stand(echo, message_bytes_max=65_536) as place,
            place.peer() as large,
            place.peer() as small,
        ):
            await large.send(transaction_message("t1", [b"x" * 100_000]))
            await large.end()

            assert large.status is not None
            assert large.status[0].name == "RESOURCE_EXHAUSTED"
            assert (await small.invoke(b"x")).payload == b"x"

    play(scene)


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff" * 20, transaction_message("another", []).SerializeToString()]
)
def test_proposal_that_cannot_be_read_is_answered(content: bytes) -> None:
    async def scene(peer: ScriptedPeer) -> None:
        message = transaction_message("t1", [b"x"])
        message.proposal.proposal_bytes = content
        answer = await peer.run(message)

        assert answer.status == 500
        assert "ProposalUnreadable" in answer.message

    serve(echo, scene)


def test_creator_or_transient_data_that_cannot_be_read_is_answered() -> None:
    def handler(invocation: Invocation) -> bytes:
        return invocation.creator.certificate

    async def scene(peer: ScriptedPeer) -> None:
        answer = await peer.invoke(creator=b"\xff\xff")

        assert answer.status == 500
        assert "ProposalUnreadable" in answer.message

    serve(handler, scene)


def test_full_server_takes_no_more_streams() -> None:
    async def scene() -> None:
        async with (
            stand(echo, streams_max=1) as place,
            place.peer() as one,
            place.peer(registers=False) as two,
        ):
            await two.end()

            assert two.status is not None
            assert two.status[0].name == "RESOURCE_EXHAUSTED"
            assert (await one.invoke(b"x")).payload == b"x"

    play(scene)


def test_peers_that_leave_in_the_midst_of_large_answers_leave_nothing_behind() -> None:
    large = b"x" * 2**20

    def handler(invocation: Invocation) -> bytes:
        return (invocation.get("a") or b"") + large

    async def scene() -> None:
        async with stand(handler) as place:
            for number in range(20):
                async with place.peer() as peer:
                    calls = [asyncio.create_task(peer.invoke()) for _ in range(4)]
                    await peer.arrival(Kind.GET_STATE, number % 4 + 1)
                await asyncio.gather(*calls, return_exceptions=True)
            await figure(place, "chaincode_streams", 0)
            await figure(place, "chaincode_transactions_running", 0)
            async with place.peer() as peer:
                assert (await peer.invoke()).status == 200

    play(scene)


@pytest.mark.parametrize(
    ("message", "expected"),
    [("\ud800 told", (400, "? told")), ("x" * 100_000, (500, "The transaction failed: Message"))],
)
def test_rejection_that_cannot_be_sent_as_it_is_is_answered(
    message: str, expected: tuple[int, str]
) -> None:
    def handler(_: Invocation) -> bytes:
        raise Rejected(message)

    async def scene() -> None:
        async with stand(handler, message_bytes_max=65_536) as place, place.peer() as peer:
            answer = await peer.invoke()

            assert (answer.status, answer.message[: len(expected[1])]) == expected

    play(scene)
