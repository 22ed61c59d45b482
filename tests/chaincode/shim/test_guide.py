"""The example of the guide is a whole chaincode: it is taken from the page, run, and dialled."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from pathlib import Path

from tests.chaincode.shim.authority import Authority, write_tls
from tests.chaincode.shim.peer import DEADLINE_S, Answered, ScriptedPeer
from tests.chaincode.shim.proposals import serialized_identity
from tests.chaincode.shim.stand import AUTHORITY, PACKAGE_ID, PEER, SERVER, play

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/guides/any-contract.md"


def example() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def started(process: asyncio.subprocess.Process) -> None:
    """Wait until the process has said that it serves."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        async for line in process.stderr:
            if b"serving" in line:
                return
    raise AssertionError("the example ended before it served")


def test_example_serves_a_peer_and_ends_at_sigterm(tmp_path: Path) -> None:
    script = tmp_path / "library.py"
    script.write_text("import logging\n\nlogging.basicConfig(level='INFO')\n" + example())
    files = write_tls(tmp_path, SERVER, AUTHORITY.certificate)
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "PYTHONPATH": str(ROOT),
        "CHAINCODE_ID": PACKAGE_ID,
        "CHAINCODE_SERVER_ADDRESS": address,
        "CHAINCODE_TLS_CERT_FILE": str(files.certificate),
        "CHAINCODE_TLS_KEY_FILE": str(files.key),
        "CHAINCODE_CLIENT_CA_CERT_FILE": str(files.client_roots),
    }
    librarian, reader = (
        serialized_identity("M", Authority("m").issue("x", units=(unit,)).certificate)
        for unit in ("librarian", "reader")
    )

    async def converse() -> tuple[list[Answered], ScriptedPeer]:
        async with ScriptedPeer(address, AUTHORITY.certificate, PEER) as peer:
            return [
                await peer.invoke(b"lend", b"Emma", b"Ann", creator=reader),
                await peer.invoke(b"lend", b"Emma", b"Ann", creator=librarian),
                await peer.invoke(b"lend", b"Emma", b"Bob", creator=librarian),
                await peer.invoke(b"lent"),
                await peer.invoke(b"burn"),
            ], peer

    async def scene() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), env=environment, stderr=asyncio.subprocess.PIPE
        )
        try:
            await started(process)
            answers, peer = await converse()
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), DEADLINE_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

        assert process.returncode == 0
        assert [answer.status for answer in answers] == [403, 200, 409, 200, 404]
        assert answers[2].message == "Emma is lent already"
        assert answers[3].payload == b"Emma"
        assert answers[1].event is not None
        assert list(peer.state.values()) == [b"Ann"]

    play(scene)
