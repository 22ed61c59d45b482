"""The example of the Gateway client in processes of its own, against scripted peers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from tests.examples.program import command, environment
from tests.ledger_network.fabric.gateway.papers import user_papers
from tests.ledger_network.fabric.gateway.scripted import refuse, tls_papers
from tests.ledger_network.fabric.gateway.stage import Stage, play


def papers(folder: Path) -> tuple[Path, Path]:
    """The MSP folder of a user, and the TLS roots of the peers."""
    for name, pem in zip(("signcerts", "keystore"), user_papers(), strict=True):
        (folder / "user" / name).mkdir(parents=True)
        (folder / "user" / name / "one.pem").write_bytes(pem)
    roots = folder / "roots.pem"
    roots.write_bytes(tls_papers().certificate)
    return folder / "user", roots


def test_client_submits_evaluates_and_follows_events_once(tmp_path: Path) -> None:
    user, roots = papers(tmp_path)

    async def scene(stage: Stage) -> tuple[list[str], str]:
        async def client(*act: str | Path, ends: int = 0) -> tuple[str, str]:
            told = [
                *("--msp", "NorthMSP", "--user", user, "--roots", roots),
                *("--peer", stage.north.endpoint.address),
                *("--channel", "market", "--chaincode", "market"),
            ]
            process = await asyncio.create_subprocess_exec(
                *command("gateway_client.py", *told, *act),
                env=environment(tmp_path),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            assert process.returncode == ends, err.decode()
            return out.decode().strip(), err.decode()

        following = ("follow", "--checkpoint", tmp_path / "seen", "--count", "1")
        said = [
            await client("submit", "event", "hello"),
            await client("submit", "event", "again"),
            await client("evaluate", "get"),
            await client(*following),
            await client(*following),
        ]
        no = ("NorthMSP", "chaincode response 409, not today")
        stage.north.at_next("Endorse", refuse(grpc.StatusCode.ABORTED, "failed", no))
        refused = await client("submit", "put", "k", "v", ends=1)
        return [out for out, _ in said], refused[1]

    said, refusal = play(scene)

    assert said[0].startswith("transaction ")
    assert said[2] == "market|get"
    assert [line.split()[-1] for line in said[3:]] == ["hello", "again"]
    assert "the contract said no" in refusal
