"""The example contract in a process of its own, dialled by a scripted peer over real TLS."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from tests.chaincode.shim.authority import Authority, write_tls
from tests.chaincode.shim.peer import DEADLINE_S, Answered, ScriptedPeer
from tests.chaincode.shim.proposals import serialized_identity
from tests.chaincode.shim.stand import AUTHORITY, PACKAGE_ID, PEER, SERVER, play
from tests.chaincode.shim.test_guide import free_port, started
from tests.examples.program import command, environment

ANN, BOB = (
    serialized_identity("StreetMSP", Authority("street").issue(name, units=()).certificate)
    for name in ("ann", "bob")
)


async def converse(address: str) -> list[Answered]:
    """Ann borrows the drill, Bob may neither borrow nor return it, Ann returns it."""
    async with ScriptedPeer(address, AUTHORITY.certificate, PEER) as peer:
        return [
            await peer.invoke(b"borrow", b"drill", creator=ANN),
            await peer.invoke(b"borrow", b"drill", creator=BOB),
            await peer.invoke(b"where"),
            await peer.invoke(b"return", b"drill", creator=BOB),
            await peer.invoke(b"return", b"drill", creator=ANN),
            await peer.invoke(b"where"),
            await peer.invoke(b"borrow", b"x" * 101, creator=ANN),
            await peer.invoke(b"burn"),
        ]


def test_contract_lends_a_tool_to_one_neighbour_at_a_time(tmp_path: Path) -> None:
    files = write_tls(tmp_path, SERVER, AUTHORITY.certificate)
    address = f"127.0.0.1:{free_port()}"
    given = environment(tmp_path) | {
        "CHAINCODE_ID": PACKAGE_ID,
        "CHAINCODE_SERVER_ADDRESS": address,
        "CHAINCODE_TLS_CERT_FILE": str(files.certificate),
        "CHAINCODE_TLS_KEY_FILE": str(files.key),
        "CHAINCODE_CLIENT_CA_CERT_FILE": str(files.client_roots),
    }

    async def scene() -> None:
        process = await asyncio.create_subprocess_exec(
            *command("tool_shed.py"), env=given, stderr=asyncio.subprocess.PIPE
        )
        try:
            await started(process)
            answers = await converse(address)
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), DEADLINE_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

        assert process.returncode == 0
        assert [answer.status for answer in answers] == [200, 409, 200, 409, 200, 200, 400, 404]
        assert answers[1].message == "drill is with StreetMSP/ann"
        assert json.loads(answers[2].payload) == {"drill": "StreetMSP/ann"}
        assert json.loads(answers[5].payload) == {}

    play(scene)
