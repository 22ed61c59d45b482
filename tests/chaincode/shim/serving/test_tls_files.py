"""The server's TLS files: checked together when it starts, read again when they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from chaincode.shim import ChaincodeServer, ServerSettings, SettingsFault, TlsFiles
from tests.chaincode.shim.authority import Authority, Pair, write_tls
from tests.chaincode.shim.peer import ScriptedPeer
from tests.chaincode.shim.stand import AUTHORITY, PACKAGE_ID, PEER, SERVER, echo, play


def settings(files: TlsFiles) -> ServerSettings:
    return ServerSettings(address="127.0.0.1:0", package_id=PACKAGE_ID, tls=files)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("server.key", None, "server.key cannot be read"),
        ("clients.pem", None, "clients.pem cannot be read"),
        ("server.pem", b"junk", "server.pem holds no certificate"),
        ("clients.pem", b"", "clients.pem holds no certificate"),
        ("server.key", b"junk", "server.key holds no private key"),
        ("server.key", PEER.key, "server.key is not that of"),
    ],
)
def test_server_with_files_that_do_not_fit_does_not_start(
    name: str, content: bytes | None, sentence: str, tmp_path: Path
) -> None:
    files = write_tls(tmp_path, SERVER, AUTHORITY.certificate)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    async def scene() -> None:
        with pytest.raises(SettingsFault, match=sentence):
            await ChaincodeServer(settings(files), echo).start()

    play(scene)


async def accepted(address: str, roots: bytes, pair: Pair) -> bool:
    """Whether a peer with these roots and this certificate is registered."""
    async with ScriptedPeer(address, roots, pair, registers=False) as peer:
        await peer.first()
        return peer.status is None or peer.status[0] != grpc.StatusCode.UNAVAILABLE


def test_new_files_hold_for_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    files = write_tls(tmp_path, SERVER, AUTHORITY.certificate)
    new = Authority("successor")
    new_peer = new.issue("peer0")

    async def scene() -> None:
        async with (
            ChaincodeServer(settings(files), echo) as server,
            ScriptedPeer(server.address, AUTHORITY.certificate, PEER) as old,
        ):
            assert not await accepted(server.address, new.certificate, new_peer)
            write_tls(tmp_path, new.issue("chaincode"), new.certificate)

            assert await accepted(server.address, new.certificate, new_peer)
            assert not await accepted(server.address, AUTHORITY.certificate, PEER)
            assert (await old.invoke(b"x")).payload == b"x"

    play(scene)


def test_files_in_the_midst_of_a_renewal_change_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write_tls(tmp_path, SERVER, AUTHORITY.certificate)
    renewed = AUTHORITY.issue("chaincode")

    async def scene() -> None:
        async with ChaincodeServer(settings(files), echo) as server:
            files.certificate.write_bytes(renewed.certificate)
            assert await accepted(server.address, AUTHORITY.certificate, PEER)
            assert "the old ones stay in use" in caplog.text
            files.key.unlink()
            assert await accepted(server.address, AUTHORITY.certificate, PEER)
            files.key.write_bytes(renewed.key)
            assert await accepted(server.address, AUTHORITY.certificate, PEER)

    caplog.set_level("INFO")
    play(scene)
    assert "new connections use the new TLS files" in caplog.text


def test_settings_are_frozen_and_each_can_be_replaced(tmp_path: Path) -> None:
    given = settings(write_tls(tmp_path, SERVER, AUTHORITY.certificate))

    assert replace(given, concurrency=7).concurrency == 7
    assert given.concurrency == 32
