"""Starting and stopping: running transactions are answered, nothing is left behind."""

from __future__ import annotations

import asyncio
import threading

import grpc
import pytest
from prometheus_client import CollectorRegistry

from chaincode.shim import ChaincodeServer, Invocation, ServerSettings, SettingsFault
from identity.verification import Verification
from tests.chaincode.shim.peer import DEADLINE_S
from tests.chaincode.shim.serving.test_streams import Gate
from tests.chaincode.shim.stand import PACKAGE_ID, echo, play, stand

PLAIN = ServerSettings(address="127.0.0.1:0", package_id=PACKAGE_ID, plaintext=True)


def test_running_transactions_finish_and_new_ones_are_turned_away() -> None:
    gate = Gate()

    def handler(invocation: Invocation) -> bytes:
        gate.hold()
        return invocation.get("a") or b""

    async def scene() -> None:
        async with stand(handler) as place, place.peer() as peer:
            peer.state["a"] = b"finished"
            running = asyncio.create_task(peer.invoke())
            await gate.come(1)
            stopping = asyncio.create_task(place.server.stop(grace_s=DEADLINE_S))
            refused = await peer.invoke()
            async with place.peer(registers=False) as late:
                await late.end()
            gate.open()
            answer = await running
            await stopping
            await peer.end()

            assert (refused.status, "stopping" in refused.message) == (503, True)
            assert late.status == (grpc.StatusCode.RESOURCE_EXHAUSTED, "stopping")
            assert (answer.status, answer.payload) == (200, b"finished")
            assert peer.status is not None
            assert peer.status[0] == grpc.StatusCode.OK
            assert place.figure("chaincode_streams") == 0

    play(scene)


def test_transaction_that_outlasts_the_grace_is_answered_too() -> None:
    gate = Gate()

    def handler(invocation: Invocation) -> bytes:
        gate.hold()
        return invocation.get("a") or b""

    async def scene() -> None:
        async with stand(handler) as place, place.peer() as peer:
            running = asyncio.create_task(peer.invoke())
            await gate.come(1)
            await place.server.stop(grace_s=0.01)
            answer = await running

            assert (answer.status, answer.message) == (503, "The chaincode has stopped.")
            gate.open()

    play(scene)


def test_no_thread_outlives_its_server() -> None:
    def chaincode_threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("chaincode")]

    async def scene() -> None:
        async with stand(echo) as place, place.peer() as peer:
            await asyncio.gather(*(peer.invoke() for _ in range(50)))
            threads = chaincode_threads()
            await place.server.stop()

            assert threads
            for thread in threads:
                await asyncio.to_thread(thread.join, DEADLINE_S)
                assert not thread.is_alive()

    play(scene)


def test_stopping_twice_or_before_the_start_is_no_fault() -> None:
    async def scene() -> None:
        server = ChaincodeServer(PLAIN, echo)
        await server.stop()
        await server.start()
        with pytest.raises(RuntimeError, match="once"):
            await server.start()
        await asyncio.gather(server.stop(), server.stop())
        await server.stop()

    play(scene)


def test_port_is_known_once_started_and_free_once_stopped() -> None:
    async def scene() -> None:
        async with ChaincodeServer(PLAIN, echo) as server:
            assert server.port > 0
            assert server.address == f"127.0.0.1:{server.port}"
            taken = ServerSettings(address=server.address, package_id=PACKAGE_ID, plaintext=True)
            with pytest.raises(SettingsFault, match="cannot be listened on"):
                await ChaincodeServer(taken, echo).start()
        async with ChaincodeServer(taken, echo):
            pass

    play(scene)


def test_registry_and_verification_that_were_handed_in_are_used_and_left_open() -> None:
    registry = CollectorRegistry()
    verification = Verification(workers=1)

    async def scene() -> None:
        async with ChaincodeServer(PLAIN, echo, registry=registry, verification=verification):
            pass

    play(scene)
    assert registry.get_sample_value("chaincode_streams") == 0
    assert verification.verify_many([]) == []
